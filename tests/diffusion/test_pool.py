import subprocess
import sys

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given
from hypothesis import strategies as st

from fewstain.diffusion.pool import Pool, disjoint_windows, reflect
from fewstain.diffusion.pool_index import build_pool

CPU = torch.device("cpu")


def save(path, pixels):
    tifffile.imwrite(path, pixels)
    return path


def ramp(height, width):
    return (np.arange(height * width, dtype=np.uint16).reshape(height, width)) * 10


def test_crops_are_the_eight_symmetries_of_the_image(tmp_path):
    index = build_pool(tmp_path, (save(tmp_path / "a.tif", ramp(2, 2)),), None)
    crops = Pool(tmp_path, index, CPU).crops(200, 2, np.random.default_rng(0))
    corner = torch.from_numpy(index.normaliser.apply(ramp(2, 2)[..., None])).half().float()[0]
    found = {tuple(crop.flatten().tolist()) for crop in crops}
    turned = [torch.rot90(image, k) for image in (corner, corner.flip(0)) for k in range(4)]
    assert found == {tuple(image.flatten().tolist()) for image in turned}


def test_crops_keep_channels_together(tmp_path):
    colours = np.stack([ramp(40, 30), ramp(40, 30)[::-1], ramp(40, 30)], axis=-1)
    path = tmp_path / "a.png"
    imageio.imwrite(path, (colours // 50).astype(np.uint8))
    index = build_pool(tmp_path, (path,), (0, 2))
    crops = Pool(tmp_path, index, CPU).crops(5, 16, np.random.default_rng(0))
    assert crops.shape == (5, 2, 16, 16)
    assert torch.equal(crops[:, 0], crops[:, 1])


def test_small_images_are_continued_by_reflection(tmp_path):
    index = build_pool(tmp_path, (save(tmp_path / "a.tif", ramp(1, 3)),), None)
    crops = Pool(tmp_path, index, CPU).crops(20, 8, np.random.default_rng(0))
    values = np.fromfile(tmp_path / "pool.f16", np.float16).astype(np.float32)
    assert set(crops.flatten().tolist()) == set(values.tolist())


@given(st.integers(-50, 50), st.integers(1, 9))
def test_reflect_is_numpys(position, length):
    expected = np.pad(np.arange(length), 60, mode="reflect")[position + 60]
    assert reflect(np.array(position), np.array(length)) == expected


def test_large_images_do_not_drown_small_ones(tmp_path):
    small = save(tmp_path / "a.tif", np.full((10, 10), 0, np.uint16))
    large = save(tmp_path / "b.tif", np.full((90, 90), 9, np.uint16) + ramp(90, 90))
    index = build_pool(tmp_path, (small, large), None)
    crops = Pool(tmp_path, index, CPU).crops(2000, 4, np.random.default_rng(0))
    constant = (crops.flatten(1).std(1) < 1e-6).float().mean()
    assert float(constant) == pytest.approx(0.1, abs=0.03)  # sqrt(100) / (sqrt(100) + sqrt(8100))


def test_crops_are_a_function_of_the_generator(tmp_path):
    index = build_pool(tmp_path, (save(tmp_path / "a.tif", ramp(50, 60)),), None)
    pool = Pool(tmp_path, index, CPU)
    first, again = (pool.crops(4, 16, np.random.default_rng((7, 3))) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, pool.crops(4, 16, np.random.default_rng((7, 4))))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_resident_memory_does_not_grow_with_the_pool(tmp_path):
    """A pool of 96 MB is drawn from all over; what stays resident is far less."""
    rng = np.random.default_rng(0)
    for number in range(12):
        save(tmp_path / f"{number}.tif", rng.integers(0, 255, (2000, 2000), np.uint8))
    code = """
import sys, numpy as np, torch
from pathlib import Path
from fewstain.diffusion.pool import Pool
from fewstain.diffusion.pool_index import build_pool
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
folder = Path(sys.argv[1])
index = build_pool(folder / "state", tuple(sorted(folder.glob("*.tif"))), None)
pool = Pool(folder / "state", index, torch.device("cpu"))
rng = np.random.default_rng(0)
pool.crops(16, 64, rng)
before = resident()
for _ in range(300):
    pool.crops(16, 64, rng)
print(index.size * 2, resident() - before)
"""
    run = subprocess.run([sys.executable, "-c", code, tmp_path], check=True, capture_output=True, text=True)
    size, growth = map(int, run.stdout.split())
    assert size == 96_000_000
    assert growth < size / 10


@given(st.integers(8, 40), st.integers(4, 40), st.integers(2, 12), st.integers(0, 9))
def test_windows_are_within_the_image_and_share_no_pixel(height, width, n, seed):
    windows = disjoint_windows(height, width, n, 4, np.random.default_rng(seed)).tolist()
    assert len(windows) == n
    taken = np.zeros((height, width), int)
    for top, left in {tuple(window) for window in windows}:
        assert taken[top : top + 4, left : left + 4].shape == (4, 4)
        taken[top : top + 4, left : left + 4] += 1
    assert taken.max() == 1
    assert windows[0] not in windows[1:]
    assert len({tuple(window) for window in windows}) == min(n, (height // 4) * (width // 4))


def test_a_set_is_of_the_crops_own_image_but_of_other_windows(tmp_path):
    paths = tuple(save(tmp_path / f"{k}.tif", 10_000 * k + ramp(12, 12)) for k in range(3))
    small = save(tmp_path / "small.tif", ramp(4, 7))  # no room for two windows
    index = build_pool(tmp_path, (*paths, small), None)
    pool = Pool(tmp_path, index, CPU)
    crops, sets = pool.sets(50, 3, 4, np.random.default_rng(0))
    assert (crops.shape, sets.shape) == ((50, 1, 4, 4), (50, 3, 1, 4, 4))
    values = np.fromfile(tmp_path / "pool.f16", np.float16).astype(np.float32)[: 3 * 144].reshape(3, 144)
    for crop, others in zip(crops, sets, strict=True):
        windows = [set(each.flatten().tolist()) for each in (crop, *others)]
        assert any(set.union(*windows) <= set(image.tolist()) for image in values)
        if min(map(len, windows)) == 16:  # percentiles clip the darkest and brightest pixels of an image alike
            assert len(set.union(*windows)) == 4 * 16
    assert pool.holds_sets(4)
    assert pool.holds_sets(6)
    assert not pool.holds_sets(7)
