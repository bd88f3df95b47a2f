import numpy as np

from fewstain.diffusion.translation.scale import Scale, luminance


def test_one_range_for_all_images_and_back():
    images = [np.array([[[100], [300]]], np.uint16), np.array([[[200], [500]]], np.uint16)]
    scale = Scale.fit(images)
    assert scale == Scale(100.0, 500.0, "uint16", 1)
    np.testing.assert_allclose(scale.apply(images[0]), [[[-1, 0]]])
    for image in images:
        np.testing.assert_array_equal(scale.restore(scale.apply(image)), image)
    assert scale.restore(scale.apply(images[0])).dtype == np.uint16


def test_of_uint8_it_is_all_that_there_can_be():
    scale = Scale.fit([np.full((2, 2, 3), 7, np.uint8)])
    assert (scale.low, scale.high, scale.channels) == (0, 255, 3)
    assert Scale.from_dict(vars(scale)) == scale


def test_a_constant_dataset_has_a_range_all_the_same():
    pixels = np.full((2, 2, 1), 0.5, np.float32)
    assert np.isfinite(Scale.fit([pixels]).apply(pixels)).all()


def test_grey_is_what_a_file_would_hold():
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]], np.uint8)
    np.testing.assert_array_equal(luminance(pixels)[..., 0], [[76, 150, 29, 9]])
    assert luminance(pixels).dtype == np.uint8
