import torch

from fewstain.pixels.filters import FilterFeatures, StackedFeatures


def test_the_image_itself_comes_first_and_every_map_is_at_full_resolution():
    images = torch.rand(2, 3, 20, 30) * 2 - 1
    (found,) = FilterFeatures().maps(images)
    assert (found.shape[0], *found.shape[2:]) == (2, 20, 30)
    assert found.dtype == torch.float32
    assert torch.equal(found[:, :3], images)
    alone = FilterFeatures().maps(images[1:])[0]
    torch.testing.assert_close(found[1:], alone)


def test_more_scales_are_more_features():
    image = torch.zeros(1, 1, 16, 16)
    few, many = (FilterFeatures(1.0, sigma).maps(image)[0] for sigma in (1.0, 4.0))
    assert few.shape[1] < many.shape[1]
    assert many.abs().max() == 0


class Doubled:
    multiple = 4

    def maps(self, images, origin=(0, 0), draw=0):
        return [2 * images, images + origin[0] + 10 * draw]


class Tripled(Doubled):
    multiple = 6

    def maps(self, images, origin=(0, 0), draw=0):
        return [3 * images]


def test_stacked_extractors_come_one_after_another():
    stacked = StackedFeatures([Tripled(), Doubled()])
    found = stacked.maps(torch.ones(1, 1, 1, 1), (1, 2), draw=3)
    assert [each.item() for each in found] == [3, 2, 32]
    assert stacked.multiple == 12
