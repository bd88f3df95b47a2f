from pathlib import Path

import numpy as np
import pytest

from fewstain.errors import UserError
from fewstain.images.read import read_labels
from fewstain.images.write import write_labels, write_map
from fewstain.pixels.parts import Parts
from fewstain.storage import read_json, write_json

ONE = np.array([[1, 1, 0, 0]])
TWO = np.array([[1, 1, 0, 2]])
DRAWN = np.array([[5, 5, 5, 5]])


def run(parts, labels, key):
    """Segment image "a" as `update_files` does, unless it is done; the corrections that were made of masks."""
    with parts.work() as work:
        moved = parts.move_edited(["a"])
        if not parts.is_done("a", key):
            write_labels(work / "masks" / "a.tif", labels)
            write_map(work / "uncertainty" / "a.tif", labels)
            (work / "measurements.csv").write_text("image,label\n" + "a,1\n" * int(labels.max()))
            parts.take("a", work, key, {"objects": int(labels.max())})
    return moved


def mask(parts):
    return read_labels(parts.mask("a")).tolist()


@pytest.mark.parametrize("before", ["no run", "a run with masks elsewhere"])
def test_labels_that_no_run_made_are_neither_overwritten_nor_moved(tmp_path, before):
    parts = Parts(tmp_path / "out", tmp_path / "labels")
    if before != "no run":
        run(Parts(parts.out, tmp_path / "elsewhere"), ONE, "model 1")
    write_labels(parts.mask("a"), DRAWN)
    with pytest.raises(UserError, match=r"labels.a\.tif: not made by runs into .*out; give another --masks, or move"):
        run(parts, ONE, "model 1")
    assert mask(parts) == DRAWN.tolist()
    assert not (parts.out / "corrected").exists()


def test_an_earlier_mask_in_another_folder_is_no_correction(tmp_path):
    first, second = (Parts(tmp_path / "out", tmp_path / name) for name in ("first", "second"))
    assert run(first, ONE, "model 1") == []
    assert run(second, TWO, "model 2") == []
    assert not first.is_done("a", "model 2")
    assert run(first, TWO, "model 2") == []
    assert mask(first) == mask(second) == TWO.tolist()
    assert first.is_done("a", "model 2")
    write_labels(second.mask("a"), DRAWN)
    assert run(second, TWO, "model 2") == [tmp_path / "out" / "corrected" / "a.tif"]


def test_results_that_were_moved_know_their_masks(tmp_path):
    run(Parts(tmp_path / "out", tmp_path / "out" / "masks"), ONE, "model 1")
    (tmp_path / "out").rename(tmp_path / "moved")
    parts = Parts(tmp_path / "moved", tmp_path / "moved" / "masks")
    assert run(parts, TWO, "model 2") == []
    assert mask(parts) == TWO.tolist()


# The five renames of `take`: a record of masks alone, the mask, its uncertainty, the table, the record.
@pytest.mark.parametrize("step", range(5))
@pytest.mark.parametrize("before", [None, ONE])
def test_a_run_that_was_killed_is_done_again_and_its_mask_is_no_correction(tmp_path, monkeypatch, before, step):
    parts = Parts(tmp_path / "out", tmp_path / "out" / "masks")
    if before is not None:
        run(parts, before, "model 1")
    replace, left = Path.replace, iter(range(step))

    def killed(*arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return replace(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            run(parts, TWO, "model 2")
    assert not parts.is_done("a", "model 2")
    assert run(parts, TWO, "model 2") == []
    assert mask(parts) == TWO.tolist()
    assert parts.is_done("a", "model 2")


def test_a_change_by_hand_after_a_kill_becomes_a_correction(tmp_path):
    parts = Parts(tmp_path / "out", tmp_path / "out" / "masks")
    run(parts, ONE, "model 1")
    record = parts.folder / "a.json"
    write_json(record, {"masks": read_json(record)["masks"]})
    write_labels(parts.mask("a"), DRAWN)
    assert run(parts, TWO, "model 2") == [parts.out / "corrected" / "a.tif"]


@pytest.mark.parametrize(("drawn", "moved"), [(ONE, 0), (DRAWN, 1)])
def test_the_part_of_an_earlier_version_is_taken_to_be_of_this_folder(tmp_path, drawn, moved):
    parts = Parts(tmp_path / "out", tmp_path / "masks")
    run(parts, ONE, "model 1")
    record = parts.folder / "a.json"
    content = read_json(record)
    del content["masks"]
    write_json(record, content)
    assert parts.is_done("a", "model 1")
    write_labels(parts.mask("a"), drawn)
    assert len(parts.move_edited(["a"])) == moved
    assert run(parts, TWO, "model 2") == []
    assert mask(parts) == TWO.tolist()
