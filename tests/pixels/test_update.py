import errno
import os
import signal
import subprocess
import sys
from dataclasses import replace

import filelock
import numpy as np
import pandas as pd
import pytest

from fewstain.errors import UserError
from fewstain.images.read import read_labels
from fewstain.images.write import write_image, write_labels
from fewstain.pixels import update as update_module
from fewstain.pixels.folder import load_pixels
from fewstain.pixels.segment import segment_files
from fewstain.pixels.update import update_files
from fewstain.settings import SegmentSettings
from fewstain.stages import CODE_VERSIONS
from fewstain.storage import read_json, write_json

SETTINGS = SegmentSettings(tile=32, overlap=8)


@pytest.fixture
def images(tmp_path):
    """Three images of noise."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / "images" / f"{name}.tif" for name in "abc"]
    for path in paths:
        write_image(path, rng.integers(0, 255, (40, 48)).astype(np.uint8))
    return paths


@pytest.fixture(scope="module")
def model(grey_results):
    return load_pixels(grey_results, device="cpu")


def test_the_tables_are_those_of_one_call_for_all(model, images, tmp_path):
    once, grown = tmp_path / "once", tmp_path / "grown"
    segment_files(model, images, once, SETTINGS, progress=False)
    assert update_files(model, images[:1], grown, SETTINGS) == 1
    assert update_files(model, images, grown, SETTINGS) == 2
    for name in ("counts.csv", "measurements.csv"):
        pd.testing.assert_frame_equal(pd.read_csv(grown / name), pd.read_csv(once / name))
    for path in images:
        mask = f"masks/{path.stem}.tif"
        np.testing.assert_array_equal(read_labels(grown / mask), read_labels(once / mask))


def test_only_what_is_missing_or_changed_is_done_again(model, images, tmp_path):
    out = tmp_path / "out"
    assert update_files(model, images, out, SETTINGS) == 3
    assert update_files(model, images, out, SETTINGS) == 0
    (out / "masks" / "a.tif").unlink()
    (out / ".segmented" / "b.json").write_text("{")
    assert update_files(model, images, out, SETTINGS) == 2
    write_image(images[2], np.zeros((40, 48), np.uint8))
    assert update_files(model, images, out, SETTINGS) == 1
    assert update_files(model, images, out, SETTINGS, pixel_size_um=0.5) == 3
    assert not list((out / ".segmented").glob("work*"))


def test_what_the_segmenting_code_or_the_names_of_classes_change_is_done_again(model, images, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert update_files(model, images, out, SETTINGS) == 3
    renamed = replace(model, record=replace(model.record, classes=("nucleus",)))
    assert update_files(renamed, images, out, SETTINGS) == 3  # the hash of a segmenter's model knows no names
    assert update_files(renamed, images, out, SETTINGS) == 0
    monkeypatch.setitem(CODE_VERSIONS, "segment", 99)
    assert update_files(renamed, images, out, SETTINGS) == 3


def test_a_removed_image_leaves_the_tables(model, images, tmp_path):
    update_files(model, images, tmp_path / "out", SETTINGS)
    update_files(model, images[:2], tmp_path / "out", SETTINGS)
    assert list(pd.read_csv(tmp_path / "out" / "counts.csv")["image"]) == ["a", "b"]
    assert set(pd.read_csv(tmp_path / "out" / "measurements.csv")["image"]) <= {"a", "b"}


def test_masks_can_have_a_folder_of_their_own(model, images, tmp_path):
    out = tmp_path / "out"
    update_files(model, images, out, SETTINGS, masks=out)
    assert sorted(path.name for path in out.glob("*.tif")) == ["a.tif", "b.tif", "c.tif"]
    assert not (out / "masks").exists()


def test_nothing_is_done_where_one_file_does_not_fit(model, images, tmp_path):
    write_image(images[2], np.zeros((40, 48, 3), np.uint8))
    with pytest.raises(UserError, match=r"c\.tif"):
        update_files(model, images, tmp_path / "out", SETTINGS)
    with pytest.raises(UserError, match="no images"):
        update_files(model, [], tmp_path / "out", SETTINGS)
    with pytest.raises(UserError, match=r"a\.png: its mask would have the same name as that of .*a\.tif"):
        update_files(model, [images[0], images[0].with_suffix(".png")], tmp_path / "out", SETTINGS)
    with pytest.raises(UserError, match=r"A\.tif: its mask would have the same name as that of .*a\.tif"):
        update_files(model, [images[0], images[0].with_name("A.tif")], tmp_path / "out", SETTINGS)
    assert not (tmp_path / "out").exists()


# Says when it has begun to segment, and waits to be told to go on.
WAITING = """
import sys
from pathlib import Path
from fewstain.pixels import update
from fewstain.pixels.folder import load_pixels
from fewstain.settings import SegmentSettings

def wait(*arguments, **keywords):
    arguments[2].mkdir(parents=True)
    print("begun", flush=True)
    sys.stdin.readline()
    return segment_files(*arguments, **keywords)

segment_files, update.segment_files = update.segment_files, wait
results, out, *images = map(Path, sys.argv[1:])
model = load_pixels(results, device="cpu")
update.update_files(model, images, out, SegmentSettings(tile=32, overlap=8))
"""


def images_told(out):
    return [list(pd.read_csv(out / f"{name}.csv")["image"].unique()) for name in ("counts", "measurements")]


def test_a_second_process_is_kept_out_until_the_first_ends(grey_results, model, images, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-c", WAITING, str(grey_results), str(out), str(images[0])]
    first = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdout.readline() == "begun\n"
    with pytest.raises(UserError, match=r"out: another `fewstain segment` is writing here"):
        update_files(model, images[1:], out, SETTINGS)
    first.communicate("go on\n", timeout=60)
    assert first.returncode == 0
    assert images_told(out) == [["a"], ["a"]]
    assert update_files(model, images[1:], out, SETTINGS) == 2
    assert images_told(out) == [["b", "c"], ["b", "c"]]


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_killed_process_leaves_no_lock_and_what_it_left_is_removed(grey_results, model, images, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-c", WAITING, str(grey_results), str(out), str(images[0])]
    killed = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert killed.stdout.readline() == "begun\n"
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    assert list((out / ".segmented").glob("work*"))
    assert update_files(model, images, out, SETTINGS) == 3
    assert not list((out / ".segmented").glob("work*"))


def test_on_a_disk_without_locks_two_calls_mix_nothing(model, images, tmp_path, monkeypatch):
    def no_locks(*arguments, **keywords):
        raise OSError(errno.ENOLCK, "No locks available")

    def meanwhile(*arguments, **keywords):
        monkeypatch.setattr(update_module, "segment_files", segment_files)
        counts = segment_files(*arguments, **keywords)
        update_files(model, images[1:], out, SETTINGS)
        return counts

    out = tmp_path / "out"
    monkeypatch.setattr(filelock.FileLock, "acquire", no_locks)
    monkeypatch.setattr(update_module, "segment_files", meanwhile)
    assert update_files(model, images[:1], out, SETTINGS) == 1
    assert update_files(model, images, out, SETTINGS) == 0
    once = tmp_path / "once"
    segment_files(model, images, once, SETTINGS, progress=False)
    pd.testing.assert_frame_equal(pd.read_csv(out / "measurements.csv"), pd.read_csv(once / "measurements.csv"))


@pytest.mark.parametrize("fault", ["of another image", "a row less", "nothing"])
def test_a_part_whose_table_does_not_belong_to_it_is_made_anew(model, images, tmp_path, fault):
    out = tmp_path / "out"
    update_files(model, images, out, SETTINGS)
    right = pd.read_csv(out / "measurements.csv")
    table = out / ".segmented" / "b.csv"
    lines = table.read_text().splitlines(keepends=True)
    other = (out / ".segmented" / "c.csv").read_text()
    table.write_text({"of another image": other, "a row less": "".join(lines[:-1]), "nothing": ""}[fault])
    assert update_files(model, images, out, SETTINGS) == 1
    pd.testing.assert_frame_equal(pd.read_csv(out / "measurements.csv"), right)


def test_a_mask_changed_by_hand_becomes_a_correction(model, images, tmp_path):
    out, told = tmp_path / "out", []
    update_files(model, images, out, SETTINGS, tell=told.append)
    predicted = read_labels(out / "masks" / "b.tif")
    drawn = np.kron(np.eye(2, dtype=int), np.ones((20, 24), int))
    write_labels(out / "masks" / "b.tif", drawn)
    assert told == []
    assert update_files(model, images, out, SETTINGS, tell=told.append) == 1
    assert len(told) == 1
    assert "corrected/b.tif: the mask of this image was changed by hand" in told[0].replace(os.sep, "/")
    np.testing.assert_array_equal(read_labels(out / "corrected" / "b.tif"), drawn)
    np.testing.assert_array_equal(read_labels(out / "masks" / "b.tif"), predicted)
    assert update_files(model, images, out, SETTINGS) == 0


def test_of_two_corrections_none_is_lost(model, images, tmp_path):
    out = tmp_path / "out"
    update_files(model, images, out, SETTINGS)
    one, two = np.ones((40, 48), int), np.full((40, 48), 2)
    write_labels(out / "corrected" / "b.tif", one)
    write_labels(out / "masks" / "a.tif", two)
    write_labels(out / "masks" / "b.tif", two)
    with pytest.raises(UserError, match=r"b\.tif: changed by hand since it was made, but .* is a correction"):
        update_files(model, images, out, SETTINGS, pixel_size_um=0.5)
    np.testing.assert_array_equal(read_labels(out / "corrected" / "b.tif"), one)
    for name in "ab":
        np.testing.assert_array_equal(read_labels(out / "masks" / f"{name}.tif"), two)


def test_a_changed_mask_that_is_none_is_refused_and_an_old_part_accepted(model, images, tmp_path):
    out = tmp_path / "out"
    update_files(model, images, out, SETTINGS)
    (out / "masks" / "a.tif").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"a\.tif: changed since it was made, and no mask .* remove it"):
        update_files(model, images, out, SETTINGS)
    (out / "masks" / "a.tif").unlink()
    part = out / ".segmented" / "b.json"
    content = read_json(part)
    del content["mask"], content["masks"]
    write_json(part, content)
    write_labels(out / "masks" / "b.tif", np.ones((40, 48), int))
    assert update_files(model, images, out, SETTINGS) == 1
    assert not (out / "corrected").exists()


def test_objects_too_large_to_be_seen_whole_are_told(model, images, tmp_path, monkeypatch):
    def with_cut(*arguments, **keywords):
        return segment_files(*arguments, **keywords).assign(cut_objects=2)

    told = []
    monkeypatch.setattr(update_module, "segment_files", with_cut)
    update_files(model, images[:1], tmp_path / "out", SETTINGS, tell=told.append)
    assert "a.tif: 2 objects are too large to be seen whole" in told[0]
    counts = pd.read_csv(tmp_path / "out" / "counts.csv")
    assert counts[["look_at_this_one", "reason"]].values.tolist() == [[True, "objects too large to be seen whole"]]
