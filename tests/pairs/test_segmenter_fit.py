import json
import shutil

import numpy as np
import pytest
from safetensors.torch import load_file

from fewstain.cli.run import run
from fewstain.dataset import open_dataset
from fewstain.diffusion.state import read_state
from fewstain.errors import UserError
from fewstain.images.write import write_image, write_labels
from fewstain.pairs.method import Method
from fewstain.pairs.methods import reason
from fewstain.pairs.segmenter_fit import train_segmenter
from fewstain.pairs.segmenter_record import WEIGHTS_FILE, read_segmenter_record
from fewstain.settings import SegmenterNetwork
from fewstain.storage import read_json, sha256_file, write_json


def test_what_is_written(trained, segmenter_settings):
    folder = trained / "results" / "segmenter"
    assert sorted(path.name for path in folder.iterdir()) == ["loss.csv", "segmenter.json", "segmenter.safetensors"]
    assert sorted(path.name for path in (trained / "state").iterdir()) == ["all", "fold-0", "fold-1"]
    record = read_segmenter_record(folder)
    assert (record.n_labels, record.n_pairs, record.seed, record.steps) == (4, 0, 3, 40)
    assert set(record.decoders) == set(Method)
    assert set(record.out_of_fold) == {"both", "ensemble", "segmenter"}
    assert record.out_of_fold["segmenter"]["n_images"] == 4
    assert record.out_of_fold["segmenter"]["AP50"] > 0.5  # 40 steps are enough for discs
    assert record.settings == segmenter_settings
    asked = [(Method.both, ["a"]), (Method.segmenter, ["a"]), (Method.both, ["b"]), (Method.segmenter, ["b"])]
    assert len({record.compute_hash(method, classes) for method, classes in asked}) == 4


def test_a_finished_training_only_writes_its_results_again(trained, tmp_path, segmenter_settings, capsys):
    again = shutil.copytree(trained, tmp_path / "again")
    before = (again / "results" / "segmenter" / WEIGHTS_FILE).read_bytes()
    shutil.rmtree(again / "results" / "segmenter")
    dataset, out = open_dataset(again / "data"), again / "results" / "segmenter"
    record = train_segmenter(again / "results", dataset, out, again / "state", segmenter_settings, seed=3)
    assert "training" not in capsys.readouterr().err
    assert (out / WEIGHTS_FILE).read_bytes() == before
    assert record == read_segmenter_record(trained / "results" / "segmenter")
    sessions = [read_state(folder).seconds for folder in (again / "state").iterdir()]
    assert record.wall_seconds == pytest.approx(sum(sessions))


def test_the_command_tells_the_scores_and_why_what_was_chosen_will_segment(
    trained, tmp_path, segmenter_settings, capsys
):
    again = shutil.copytree(trained, tmp_path / "again")
    out = again / "results" / "segmenter"
    words = ["train-segmenter", str(again / "results"), "--data", str(again / "data"), "--out", str(out), "--seed", "3"]
    for key, value in segmenter_settings.model_dump(mode="json").items():
        words += ["--set", f"segmenter.{key}={json.dumps(value)}"]
    assert run([*words, "--state", str(again / "state")]) == 0
    record = read_segmenter_record(out)
    *scores, written = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in scores if line.startswith("out-of-fold")] == [
        f"out-of-fold AP50, {method}" for method in record.out_of_fold
    ]
    assert written == f"wrote {out}; {record.method} will segment: {reason(record.method, record.leads)}"


def test_untrained_it_begins_with_other_weights_than_the_denoisers(trained, tmp_path, segmenter_settings):
    settings = segmenter_settings.model_copy(update={"steps": 1, "fold_steps": 1, "learning_rate": 1e-9})
    dataset, weights = open_dataset(trained / "data"), {}
    for name in ("denoiser", "untrained"):
        chosen = settings.model_copy(update={"network": SegmenterNetwork(name)})
        train_segmenter(trained / "results", dataset, tmp_path / name, tmp_path / f"{name}-state", chosen, seed=3)
        weights[name] = load_file(tmp_path / name / WEIGHTS_FILE)["unet.conv_in.weight"].numpy()
    denoiser = load_file(trained / "results" / "diffusion" / "unet" / "diffusion_pytorch_model.safetensors")
    np.testing.assert_allclose(weights["denoiser"], denoiser["conv_in.weight"].numpy(), atol=1e-6)
    assert np.abs(weights["untrained"] - weights["denoiser"]).max() > 0.01


def test_changed_labels_are_told(trained, tmp_path, segmenter_settings, discs):
    again = shutil.copytree(trained, tmp_path / "again")
    results, out, state = again / "results", again / "results" / "segmenter", again / "state"
    write_labels(again / "data" / "labels" / "a.tif", discs(7)[1])
    with pytest.raises(UserError, match=r"fold-\d: was training something else: labels was"):
        train_segmenter(results, open_dataset(again / "data"), out, state, segmenter_settings, seed=3)
    (again / "data" / "labels" / "d.tif").unlink()
    with pytest.raises(UserError, match="d was added or removed since the pixels were fitted; run fit-pixels again"):
        train_segmenter(results, open_dataset(again / "data"), out, state, segmenter_settings, seed=3)
    (out / "notes.txt").touch()
    with pytest.raises(UserError, match=r"holds 'notes\.txt', which is no part of a segmenter"):
        train_segmenter(results, open_dataset(again / "data"), out, state, segmenter_settings, seed=3)


def test_pairs_have_no_classes_to_teach(trained, tmp_path, segmenter_settings):
    again = shutil.copytree(trained, tmp_path / "again")
    path, out = again / "results" / "pixels" / "pixels.json", again / "results" / "segmenter"
    write_json(path, read_json(path) | {"classes": ["big", "small"]})
    with pytest.raises(UserError, match="painted objects have no class, but the labels have big, small; leave --pairs"):
        train_segmenter(
            again / "results", open_dataset(again / "data"), out, again / "state", segmenter_settings, pairs=[tmp_path]
        )


def test_pairs_are_learned_from_too(trained, tmp_path, segmenter_settings, discs):
    for seed in (20, 21, 22):
        image, labels = discs(seed)
        write_image(tmp_path / "pairs" / "images" / f"{seed}.tif", image)
        write_labels(tmp_path / "pairs" / "labels" / f"{seed}.tif", labels)
    settings = segmenter_settings.model_copy(update={"steps": 2, "fold_steps": 2})
    dataset, weights = open_dataset(trained / "data"), {}
    for name, pairs in (("twice", [tmp_path / "pairs"] * 2), ("with", [tmp_path / "pairs"]), ("without", [])):
        record = train_segmenter(
            trained / "results", dataset, tmp_path / name, tmp_path / f"{name}-state", settings, pairs=pairs
        )
        assert record.n_pairs == 3 * len(pairs)
        weights[name] = (tmp_path / name / WEIGHTS_FILE).read_bytes()
    assert weights["with"] != weights["without"]


def test_edits_of_held_out_images_are_held_out_too(trained, tmp_path, segmenter_settings, discs):
    dataset = open_dataset(trained / "data")
    edited = [sha256_file(path) for path in dataset.images[:2]]  # of a, b and a again
    for number in range(3):
        image, labels = discs(20 + number)
        write_image(tmp_path / "pairs" / "images" / f"pair-{number:06d}.tif", image)
        write_labels(tmp_path / "pairs" / "labels" / f"pair-{number:06d}.tif", labels)
    write_json(tmp_path / "pairs" / "pairs.json", {"made": {"n": 3, "edited images": edited}})
    settings = segmenter_settings.model_copy(update={"steps": 1, "fold_steps": 1})
    results, state = trained / "results", tmp_path / "state"
    train_segmenter(results, dataset, tmp_path / "out", state, settings, pairs=[tmp_path / "pairs"])

    learned = {folder.name: len(read_state(folder).identity["pairs"]) for folder in state.iterdir()}
    expected = {"all": 3}
    for row in read_json(results / "pixels" / "pixels.json")["choices"]["folds"]:
        name = f"fold-{row['fold']}"
        expected[name] = expected.get(name, 3) - {"a": 2, "b": 1}.get(row["window"], 0)
    assert learned == expected
