"""The command line: exit codes, messages, options, log."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import typer

from fewstain.cli import run as cli
from fewstain.cli.options import channels_of, section_settings
from fewstain.errors import UserError
from fewstain.images.write import write_image, write_labels
from fewstain.settings import DiffusionSettings, Preset
from fewstain.storage import sha256_file, write_json

VERBS = sorted(typer.main.get_command(cli.app).commands)


@pytest.fixture
def dataset(tmp_path):
    """Two flat images with a bright square each, the first one labeled."""
    for name in ("a", "b"):
        pixels = np.full((40, 40), 10, np.uint8)
        pixels[5:15, 5:15] = 200
        pixels[20:30, 20:30] = 200 + ord(name) % 2
        write_image(tmp_path / "data" / "images" / f"{name}.tif", pixels)
        write_labels(tmp_path / "data" / "labels" / f"{name}.tif", _two_squares())
    return tmp_path / "data"


def _two_squares():
    labels = np.zeros((40, 40), np.uint16)
    labels[5:15, 5:15] = 1
    labels[20:30, 20:30] = 2
    return labels


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb, capsys):
    assert cli.run([verb, "--help"]) == 0
    assert verb in capsys.readouterr().out


def test_help_is_quick_and_loads_no_network():
    code = (
        "import sys; from fewstain.cli.run import run; run(['--help']);"
        "assert not {'torch', 'diffusers', 'skimage', 'pandas', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def test_help_of_a_stage_lists_its_numbers_with_their_ranges(capsys):
    cli.run(["train-diffusion", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for name in DiffusionSettings.model_fields:
        assert f"diffusion.{name}=" in text
    assert "diffusion.layers_per_block=1 — ≥ 1 and ≤ 4" in text


def test_a_wrong_option_is_the_users_fault(capsys):
    assert cli.run(["check", "--no-such-option", "x"]) == 2
    assert cli.run(["no-such-verb"]) == 2
    assert cli.run(["check"]) == 2


@pytest.mark.parametrize("verb", ["check", "segment", "export"])
@pytest.mark.parametrize("size", ["0", "-1", "nan", "inf"])
def test_a_pixel_without_size_is_refused(verb, size, tmp_path, capsys):
    assert cli.run([verb, str(tmp_path), "--pixel-size-um", size]) == 2
    assert "give a number above 0" in " ".join(capsys.readouterr().err.split())


def test_user_error_is_told_without_traceback(tmp_path, capsys):
    assert cli.run(["check", str(tmp_path / "absent")]) == 2
    text = capsys.readouterr().err
    assert "absent" in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UserError("x.tif: broken; copy it again"), 2, "fewstain: x.tif: broken; copy it again"),
        (OSError(errno.ENOSPC, "No space left on device", "out/m.tif"), 2, "out/m.tif: no space left"),
        (PermissionError(errno.EACCES, "Permission denied", "out"), 2, "out: no permission"),
        (ZeroDivisionError("x"), 1, "Please report it"),
        (KeyboardInterrupt(), 130, "run the same command again to go on"),
    ],
)
def test_exit_codes(monkeypatch, capsys, tmp_path, error, code, words):
    def fail(*_args, **_kwargs):
        raise error

    monkeypatch.setattr("fewstain.scaffold.init", fail)
    log = tmp_path / "logs" / "init.log"
    assert cli.run(["--log", str(log), "init", str(tmp_path)]) == code
    text = capsys.readouterr().err
    assert words in text
    assert ("Traceback" in text) == (code == 1)
    assert len(log.read_text().splitlines()) >= 3


@pytest.mark.parametrize(
    ("function", "words", "told"),
    [
        ("pixels.fit.fit_pixels", "fit-pixels data --diffusion . --out out", "the same command begins this step anew"),
        (
            "benchmark.guarded.guarded_cell",
            "--log log benchmark-cell data --method forest --out cell.json",
            "the same command begins this step anew",
        ),
        ("scaffold.init", "--log fit-pixels init fit-pixels", "run the same command again to go on"),
    ],
)
def test_what_was_stopped_says_whether_it_begins_anew(monkeypatch, capsys, dataset, function, words, told):
    def stop(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"fewstain.{function}", stop)
    monkeypatch.chdir(dataset.parent)
    assert cli.run(words.split()) == 130
    assert told in capsys.readouterr().err


def test_log_on_a_full_disk_hides_nothing(tmp_path, capsys):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs a device that is always full")
    assert cli.run(["--log", str(full), "init", str(tmp_path / "data" / "cells")]) == 0
    assert "cells" in capsys.readouterr().err


def test_log_takes_what_is_printed_but_no_progress_bar(tmp_path, capsys):
    log = tmp_path / "demo.log"
    assert cli.run(["--log", str(log), "init", str(tmp_path / "data" / "cells")]) == 0
    assert capsys.readouterr().err.splitlines()[-1] in log.read_text()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "fewstain.scaffold.init", lambda _: print("\r\x1b[2K 10 %\x1b[1A") or print("\x1b[31mred\x1b[0m") or []
        )
        cli.run(["--log", str(log), "init", "x"])
    assert "%" not in log.read_text()
    assert "\nred\n" in log.read_text()


def test_check_tells_all_problems_and_writes_both_records(dataset, tmp_path, capsys):
    found, record = tmp_path / "check.json", tmp_path / "dataset.json"
    assert cli.run(["check", str(dataset), "--json", str(found), "--record", str(record)]) == 0
    assert json.loads(found.read_text())["n_labels"] == 2
    told = json.loads(record.read_text())
    assert told["path"] == "data"
    assert list(told["sha256"]["images"]) == ["a.tif", "b.tif"]
    (dataset / "images" / "b.tif").write_bytes(b"II*\0 broken")
    (dataset / "labels" / "c.tif").write_bytes((dataset / "labels" / "a.tif").read_bytes())
    assert cli.run(["check", str(dataset), "--record", str(tmp_path / "other.json")]) == 2
    text = capsys.readouterr().err
    assert "b.tif" in text
    assert "c.tif" in text
    assert not (tmp_path / "other.json").exists()


def test_check_tells_of_images_that_the_denoiser_has_not_seen(dataset, tmp_path, capsys):
    results = tmp_path / "results"
    known = {"name": "a.tif", "sha256": sha256_file(dataset / "images" / "a.tif")}
    write_json(results / "diffusion" / "fewstain.json", {"pool": [known]})
    assert cli.run(["check", str(dataset), "--record", str(results / "dataset.json")]) == 0
    told = f"{dataset / 'images'}: 1 of 2 images were not there when the denoiser was trained; set `retrain: true`"
    assert told in capsys.readouterr().err


def test_evaluate_prints_json(dataset, capsys):
    assert cli.run(["evaluate", str(dataset / "labels"), str(dataset / "labels")]) == 0
    assert json.loads(capsys.readouterr().out)["AP50"] == 1.0


@pytest.mark.parametrize(("text", "channels"), [(None, None), ("0", (0,)), ("2, 0", (2, 0))])
def test_channels(text, channels):
    assert channels_of(text) == channels


@pytest.mark.parametrize("text", ["", "a", "0,0", "-1", "0;1"])
def test_bad_channels(text):
    with pytest.raises(UserError, match="--channels"):
        channels_of(text)


def test_set_changes_one_number_of_the_preset():
    settings = section_settings(DiffusionSettings, "diffusion", Preset.demo, ["diffusion.steps=7"])
    assert (settings.steps, settings.channels) == (7, (32, 64, 64))


@pytest.mark.parametrize("item", ["diffusion.stesp=7", "diffusion.steps=0", "pixels.steps=7"])
def test_bad_set(item):
    with pytest.raises(UserError, match="--set"):
        section_settings(DiffusionSettings, "diffusion", Preset.demo, [item])


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_ctrl_c_ends_training_within_seconds_and_the_same_command_goes_on(dataset, tmp_path):
    command = [sys.executable, "-c", "from fewstain.cli import main; main()", "train-diffusion", str(dataset)]
    command += ["--out", str(tmp_path / "d"), "--state", str(tmp_path / "s"), "--preset", "demo"]
    tiny = ["channels=[8]", "crop=16", "batch_size=1", "samples=0", "steps=600", "checkpoint_seconds=1000"]
    for item in tiny:
        command += ["--set", f"diffusion.{item}"]
    environment = os.environ | {"ACCELERATE_MIXED_PRECISION": "no", "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 90
    while not (tmp_path / "s" / "pool.json").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1.5)
    stopped = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=30)
    assert process.returncode == 130, text
    assert time.monotonic() - stopped < 10
    assert "run the same command again" in text
    assert "Traceback" not in text
    assert not (tmp_path / "d").exists()
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr
    assert Path(tmp_path / "d" / "fewstain.json").exists()
