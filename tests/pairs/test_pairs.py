"""Pairs from the command line, on a stain whose networks have hardly learned: what holds whatever they paint."""

import csv
import json
import shutil

import numpy as np
import pytest
import tifffile

from fewstain.cli.run import run
from fewstain.pairs.generators import batch_numbers, count_batches

from .painted_discs import discs_of
from .written import files

pytestmark = pytest.mark.usefixtures("anything_goes")

OPTIONS = (
    "--side",
    "32",
    "--steps",
    "2",
    "--batch-size",
    "2",
    "-n",
    "5",
)
FAR = ("--max-distance", "1e9")
LIMITS = ("--min-agreement", "0", *FAR)


def table(folder):
    with (folder / "pairs.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def layouts(tmp_path_factory):
    """Two layouts that somebody drew, one of a size that no network takes as it is."""
    folder = tmp_path_factory.mktemp("layouts")
    random = np.random.default_rng(0)
    tifffile.imwrite(folder / "a.tif", discs_of(random))
    tifffile.imwrite(folder / "b.tif", discs_of(random, side=37)[:, :29])
    return folder


@pytest.fixture(scope="module")
def made(stain, layouts, tmp_path_factory, anything_goes):
    """Pairs of these layouts, in one go."""
    out = tmp_path_factory.mktemp("made") / "pairs"
    assert run(["pairs", str(stain / "results"), "--out", str(out), "--layouts", str(layouts), *OPTIONS, *LIMITS]) == 0
    return out


def test_layouts_given_are_painted_and_are_the_labels(made, layouts):
    rows = table(made)
    assert [row["pair"] for row in rows] == [f"pair-{number:06d}" for number in range(5)]
    assert {row["kept"] for row in rows} == {"yes"}
    drawn = [tifffile.imread(layouts / name) for name in ("a.tif", "b.tif")]
    for number, expected in enumerate(drawn):
        labels = tifffile.imread(made / "labels" / f"pair-{number:06d}.tif")
        image = tifffile.imread(made / "images" / f"pair-{number:06d}.tif")
        assert ((labels > 0) == (expected > 0)).all()
        assert (image.shape, image.dtype) == (expected.shape, np.uint8)
        assert int(rows[number]["objects"]) == len(np.unique(expected)) - 1
    turned = tifffile.imread(made / "labels" / "pair-000002.tif")  # the second time, each comes turned
    assert ((turned > 0) == np.rot90(drawn[0] > 0)).all()
    assert all(float(row["distance"]) > 0 and -1 <= float(row["copy"]) <= 1 for row in rows)


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
def test_shards_in_any_order_give_the_same_files(stain, layouts, made, tmp_path, order):
    words = ["pairs", str(stain / "results"), "--out", str(tmp_path / "pairs"), "--layouts", str(layouts), *OPTIONS]
    for shard in order:
        assert run([*words, "--shard", f"{shard}/3"]) == 0
    assert run(["gather-pairs", str(stain / "results"), "--out", str(tmp_path / "pairs"), *LIMITS]) == 0
    assert files(tmp_path / "pairs") == files(made)


def test_what_was_made_before_a_kill_is_not_made_again(stain, layouts, made, tmp_path, monkeypatch, capsys):
    words = ["pairs", str(stain / "results"), "--out", str(tmp_path / "pairs"), "--layouts", str(layouts), *OPTIONS]
    assert run([*words, "--shard", "1/3"]) == 0
    assert run(["gather-pairs", str(stain / "results"), "--out", str(tmp_path / "pairs")]) == 2
    assert "2 of 3 batches are not made yet; run the other shards" in capsys.readouterr().err
    from fewstain.pairs.generators import LayoutPairs

    asked, real = [], LayoutPairs.batch
    monkeypatch.setattr(
        LayoutPairs, "batch", lambda self, numbers, seed: asked.append(numbers) or real(self, numbers, seed)
    )
    assert run([*words, *LIMITS]) == 0
    assert asked == [range(2, 4), range(4, 5)]
    assert files(tmp_path / "pairs") == files(made)
    assert run([*words, "--shard", "2/3"]) == 0
    assert len(asked) == 2


def four_squares(self, numbers, size, seed, steps):
    """Sample layouts as a model that has learned four squares of 4 x 4 pixels."""
    labels = np.zeros(size, np.int32)
    for number, (row, column) in enumerate(((2, 2), (2, 8), (8, 2), (8, 8)), start=1):
        labels[row : row + 4, column : column + 4] = number
    return [labels.copy() for _ in numbers]


@pytest.mark.parametrize(
    ("wish", "areas"),
    [
        (("--count", "1"), [16]),
        (("--crowding", "0.5"), [16] * 2),
        (("--crowding", "1.5"), [16] * 6),
        (("--size", "2"), [64] * 4),
    ],
)
def test_sampled_layouts_are_changed_as_wished(stain, tmp_path, monkeypatch, wish, areas):
    monkeypatch.setattr("fewstain.pairs.layouts.LayoutModel.sample", four_squares)
    words = ["pairs", str(stain / "results"), "--out", str(tmp_path / "pairs"), *wish, *OPTIONS, *LIMITS]
    assert run([*words, "-n", "2"]) == 0
    for row in table(tmp_path / "pairs"):
        labels = tifffile.imread(tmp_path / "pairs" / "labels" / f"{row['pair']}.tif")
        assert np.bincount(labels.ravel())[1:].tolist() == areas
        assert int(row["objects"]) == len(areas)


def test_a_state_beside_finished_pairs_deletes_none_of_them(stain, layouts, made, tmp_path, capsys):
    state = tmp_path / "results"
    shutil.copytree(made, state / "pairs-of-yesterday")
    words = ["pairs", str(stain / "results"), "--layouts", str(layouts), "--state", str(state), *OPTIONS]
    assert run([*words, "--out", str(state / "other"), "--shard", "1/1", "-n", "3"]) == 0
    assert run([*words, "--out", str(state / "pairs"), *LIMITS]) == 0
    assert files(state / "pairs") == files(state / "pairs-of-yesterday") == files(made)
    gather = ["gather-pairs", str(stain / "results"), "--state", str(state), *LIMITS]
    assert run([*gather, "--out", str(state / "other")]) == 0
    assert len(table(state / "other")) == 3
    assert run([*gather, "--out", str(state / "third")]) == 2
    assert "pairs for other, pairs there, and none for" in capsys.readouterr().err


def test_image_first_keeps_the_less_uncertain_half(stain, tmp_path):
    out = tmp_path / "pairs"
    code = run(["pairs", str(stain / "results"), "--out", str(out), "--kind", "image", *OPTIONS, *FAR])
    assert code == 0
    rows = [row for row in table(out) if row["why"] in ("", "uncertainty")]
    kept = [float(row["uncertainty"]) for row in rows if row["kept"] == "yes"]
    left = [float(row["uncertainty"]) for row in rows if row["kept"] == "no"]
    assert len(kept) == -(-len(rows) // 2)
    assert not left or max(kept) <= min(left)
    record = json.loads((out / "pairs.json").read_text())
    assert (record["images_not_searched_for_copies"], record["images_searched_in_their_middle"]) == (0, 0)
    assert record["kept"] == len(list((out / "images").iterdir())) == len(kept)


def test_labels_of_another_stain_are_carried_over(stain, tmp_path):
    out = tmp_path / "pairs"
    words = ["pairs", str(stain / "results"), "--out", str(out), "--kind", "edit", "--from", str(stain / "data")]
    assert run([*words, "--strength", "0.1", *OPTIONS, *LIMITS, "-n", "2"]) == 0
    labels = [tifffile.imread(out / "labels" / f"pair-00000{number}.tif") for number in range(2)]
    drawn = [tifffile.imread(stain / "data" / "labels" / f"{number}.tif") for number in range(2)]
    for carried, original in zip(labels, drawn, strict=True):
        assert sorted(np.bincount(carried.ravel())) == sorted(np.bincount(original.ravel())[np.unique(original)])


def test_none_kept_is_told_and_writes_nothing(stain, layouts, tmp_path, capsys):
    out = tmp_path / "pairs"
    words = ["pairs", str(stain / "results"), "--out", str(out), "--layouts", str(layouts), *OPTIONS]
    assert run([*words, *FAR, "--min-agreement", "1"]) == 2
    assert "none of 5 pairs is kept: 5 by layout agreement dropped" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--kind", "image", "--layouts", "x"), "only pairs of --kind layout have layouts"),
        (("--kind", "edit"), "--kind edit and --from DATASET_DIR go together"),
        (("--n-labels", "1"), "--n-labels: counts the label files of --from DATASET_DIR"),
        (("--layouts", "x", "--crowding", "2"), "only sampled layouts can be changed"),
        (("--kind", "image", "--size", "2"), "only the objects of sampled layouts"),
        (("--shard", "3/2"), "write which of how many, as in 2/4"),
        (("--shard", "1/2", "--keep", "0.5"), "a shard keeps all it makes; give them to gather-pairs"),
        (("--kind", "image", "--min-agreement", "0.5"), "no layout to agree with; use --keep"),
    ],
)
def test_options_that_do_not_go_together(stain, tmp_path, capsys, options, told):
    assert run(["pairs", str(stain / "results"), "--out", str(tmp_path / "pairs"), *options]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(("n", "batches"), [(1, [[0]]), (4, [[0, 1], [2, 3]]), (5, [[0, 1], [2, 3], [4]])])
def test_batches_hold_every_number_once(n, batches):
    assert [list(batch_numbers(batch, n, 2)) for batch in range(count_batches(n, 2))] == batches
