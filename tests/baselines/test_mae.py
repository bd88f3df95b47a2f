import numpy as np
import pytest
import torch
from torch.nn import functional

from fewstain.baselines.mae import Mae, MaeFeatures, MaeSettings, load_mae, patches, starts
from fewstain.errors import UserError

TINY = MaeSettings(crop=16, patch=4, hidden=8, layers=2, heads=2, decoder_hidden=8, decoder_layers=1)


@pytest.fixture(scope="module")
def mae():
    torch.manual_seed(0)
    return Mae(TINY, 1).eval()


def test_patches_are_cut_row_by_row():
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert patches(image, 2).tolist() == [[[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]]


def test_only_patches_left_out_count_and_each_is_standardised(mae, monkeypatch):
    images = torch.rand(2, 1, 16, 16)
    target = patches(images, 4)
    target = (target - target.mean(-1, keepdim=True)) / (target.var(-1, keepdim=True) + 1e-6).sqrt()
    left_out = torch.zeros(2, 16)
    left_out[:, 3] = 1
    answer = torch.full_like(target, 9.0)  # wrong where nothing was left out
    answer[:, 3] = target[:, 3] + 0.5
    monkeypatch.setattr(mae.network, "forward", lambda images: (answer, left_out))
    assert mae.loss(images, torch.Generator()) == pytest.approx(0.25, abs=1e-5)


def test_what_is_left_out_comes_from_the_generator_alone(mae):
    images = torch.rand(2, 1, 16, 16)
    first, second = (mae.loss(images, torch.Generator().manual_seed(5)) for _ in range(2))
    assert first == second
    assert first != mae.loss(images, torch.Generator().manual_seed(6))


def test_windows_cover_an_axis_and_begin_at_patches():
    assert starts(8, 8, 2) == [0]
    assert starts(6, 8, 2) == [0]
    assert starts(22, 8, 2) == [0, 6, 12, 14]


def test_windows_are_put_together_where_they_lie(mae, monkeypatch):
    # tokens that say the mean of their patch do not depend on the window: the whole image's are wanted
    monkeypatch.setattr(mae, "tokens", lambda windows: [functional.avg_pool2d(windows, 4).expand(-1, 8, -1, -1)] * 2)
    for shape in ((44, 28), (16, 16), (8, 20)):
        images = torch.rand(2, 1, *shape)
        maps = MaeFeatures(mae, batch=3).maps(images)
        expected = functional.avg_pool2d(images, 4).expand(-1, 8, -1, -1)
        assert len(maps) == 2
        for each in maps:
            torch.testing.assert_close(each, expected)


def test_a_window_gives_the_tokens_of_every_layer(mae):
    image = torch.rand(1, 1, 16, 16)
    maps = MaeFeatures(mae).maps(image)
    for found, tokens in zip(maps, mae.tokens(image), strict=True):
        torch.testing.assert_close(found, tokens)
    # the last layer's are normalised: mean 0 over a token's values
    np.testing.assert_allclose(maps[-1].mean(1), 0, atol=1e-5)


def test_it_is_the_same_after_saving(mae, tmp_path):
    mae.save(tmp_path)
    image = torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(load_mae(tmp_path).tokens(image), mae.tokens(image))
    (tmp_path / "mae.safetensors").write_bytes(b"short")
    with pytest.raises(UserError, match="no masked autoencoder"):
        load_mae(tmp_path)
