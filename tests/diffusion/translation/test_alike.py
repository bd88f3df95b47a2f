import numpy as np
import pytest

from fewstain.diffusion.translation.alike import Tables, looks_of
from fewstain.diffusion.translation.table import fit_table


def images(grounds, noise=0.02):
    """Sources (1, 8, 8) on grounds of such levels, with two spots of level 0.9 in each."""
    random = np.random.default_rng(0)
    found = []
    for ground in grounds:
        plane = np.full((1, 8, 8), ground) + random.uniform(-noise, noise, (1, 8, 8))
        plane[0, 2, 2] = plane[0, 5, 6] = 0.9
        found.append(plane)
    return found


def pool():
    """Spots of one grey are of colour 0.5 on dark grounds and -0.5 on bright ones."""
    sources = images([-0.8, -0.8, -0.8, 0.2, 0.2, 0.2])
    return sources, [np.full((2, 8, 8), 0.5 if number < 3 else -0.5) for number in range(6)]


def test_images_that_look_alike_make_the_table():
    sources, targets = pool()
    tables = Tables.fit(zip(sources, targets, strict=True))
    dark, bright = images([-0.79, 0.19])
    spot = round(1.9 / 2 * 255)
    assert tables.table_for(dark)[spot] == pytest.approx([0.5, 0.5], abs=0.03)
    assert tables.table_for(bright)[spot] == pytest.approx([-0.5, -0.5], abs=0.03)
    assert tables.shared()[spot] == pytest.approx([0, 0], abs=1e-6)


def test_an_image_left_out_has_no_say():
    sources, targets = pool()
    targets[0] = np.full((2, 8, 8), -1.0)
    tables = Tables.fit(zip(sources, targets, strict=True))
    assert tables.table_for(sources[0])[242, 0] < 0.3
    left = tables.table_for(sources[0], left_out=0)
    assert left[242] == pytest.approx([0.5, 0.5], abs=0.03)
    alone = Tables.fit([(sources[0], targets[0])])
    np.testing.assert_allclose(alone.table_for(sources[0], left_out=0), -1)


def test_shared_is_the_table_of_all_pixels():
    sources, targets = pool()
    pairs = list(zip(sources, targets, strict=True))
    np.testing.assert_allclose(Tables.fit(pairs).shared(), fit_table(pairs), atol=1e-6)


def test_looks_are_levels_and_contrasts():
    flat, steps = np.zeros((1, 8, 8)), np.zeros((1, 8, 8))
    steps[..., 4:] = 1  # of 2, so 0.5 of the range
    np.testing.assert_allclose(looks_of(flat), [0.5] * 7 + [np.log(1e-3)] * 5)
    assert looks_of(steps)[7] == pytest.approx(0.5 * np.log(8 * 0.25 / 56))


def test_they_come_back_from_their_file(tmp_path):
    tables = Tables.fit(zip(*pool(), strict=True))
    tables.save(tmp_path)
    again = Tables.read(tmp_path)
    for name, values in vars(tables).items():
        np.testing.assert_array_equal(values, vars(again)[name])
