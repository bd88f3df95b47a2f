import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fewstain.diffusion.noise import pixel_noise


@settings(max_examples=30)
@given(st.integers(-200, 200), st.integers(-200, 200), st.integers(1, 150), st.integers(1, 150))
def test_any_window_agrees_bit_for_bit_with_the_whole(y, x, height, width):
    whole = pixel_noise((2, 560, 560), (-200, -200), seed=3, key=(80, 1))
    window = pixel_noise((2, height, width), (y, x), seed=3, key=(80, 1))
    assert torch.equal(window, whole[:, y + 200 : y + 200 + height, x + 200 : x + 200 + width])


def test_a_channel_does_not_depend_on_how_many_there_are():
    assert torch.equal(pixel_noise((1, 70, 70), (5, -9), 0, 20)[0], pixel_noise((3, 70, 70), (5, -9), 0, 20)[0])


def test_seed_key_and_place_give_independent_standard_normals():
    fields = [
        pixel_noise((1, 256, 256), (0, 0), 0, 20),
        pixel_noise((1, 256, 256), (0, 0), 1, 20),
        pixel_noise((1, 256, 256), (0, 0), 0, 80),
        pixel_noise((1, 256, 256), (0, 0), 0, (20, 0)),
        pixel_noise((1, 256, 256), (0, 0), 0, (20, 1)),
        pixel_noise((1, 256, 256), (-256, 0), 0, 20),
        pixel_noise((1, 256, 256), (0, 0), 0),
    ]
    values = torch.stack([field.flatten() for field in fields]).numpy()
    assert values.dtype == np.float32
    np.testing.assert_allclose(values.mean(1), 0, atol=0.02)  # 5 standard errors
    np.testing.assert_allclose(np.cov(values), np.eye(len(fields)), atol=0.03)
    neighbours = np.corrcoef(values[0][:-1], values[0][1:])[0, 1]
    assert abs(neighbours) < 0.02


def test_blocks_of_one_field_differ():
    field = pixel_noise((1, 128, 128), (-64, -64), 0, 1)[0]
    blocks = [field[:64, :64], field[:64, 64:], field[64:, :64], field[64:, 64:]]
    assert all(not torch.equal(a, b) for i, a in enumerate(blocks) for b in blocks[:i])
