import sys
import time

import numpy as np
import pytest

from fewstain.errors import UserError
from fewstain.images.write import write_labels
from fewstain.viewer.study import Study, locate
from fewstain.viewer.workflow import Progress, Run, command


def ended(run, seconds=30):
    deadline = time.monotonic() + seconds
    while run.code is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return run.code


def python(code, folder):
    return Run([sys.executable, "-u", "-c", code], folder)


def test_progress_follows_snakemakes_lines():
    progress = Progress()
    for line in ("rule train_diffusion:", "training: 133/250, loss 0.08", "x", "localcheckpoint check:"):
        progress = progress.after(line)
    assert progress == Progress(0, 0, "check", None)
    progress = progress.after("3 of 12 steps (25%) done").after("fitting pixels: 4/11, peak 0.6 GiB")
    assert progress == Progress(3, 12, "check", 4 / 11)


def test_how_many_steps_there_are_is_known_before_the_first_one_ends():
    progress = Progress()
    for line in ("Job stats:", "job                count", "---------------  -------", "train_diffusion        1"):
        progress = progress.after(line)
    assert progress == Progress()
    progress = progress.after("total                 12").after("rule train_diffusion:")
    assert progress == Progress(0, 12, "train_diffusion")
    progress = progress.after("1 of 12 steps (8%) done").after("total  99")  # of a job, or of a checkpoint
    assert progress == Progress(1, 12, "train_diffusion")


def test_the_command_asks_for_one_dataset(project, tmp_path):
    (project.folder / "Snakefile").write_text("")
    arguments, folder = command(locate(project.results), cores=2)
    assert folder == project.folder
    assert arguments[1:8] == [
        "-m",
        "snakemake",
        "--snakefile",
        str(project.folder / "Snakefile"),
        "--cores",
        "2",
        "--nocolor",
    ]
    assert arguments[8:11] == ["--report-after-run", "--report", "results/cells/report.html"]
    assert "results/cells/scores.json" in arguments
    assert not any("corrected" in argument for argument in arguments)
    write_labels(project.results / "corrected" / "a.tif", np.ones((64, 64), int))
    (project.data / "labels" / "a__y0_x0.tif").unlink()
    assert command(locate(project.results))[0][-1] == "results/cells/report/run-times.html"
    write_labels(project.data / "labels" / "a.tif", np.ones((64, 64), int))
    assert command(locate(project.results))[0][-1] == "results/cells/corrected_measurements.csv"
    (project.results / "corrected" / "a.tif").unlink()
    assert not any("corrected" in argument for argument in command(locate(project.results))[0])
    (project.results / "corrected_measurements.csv").write_text("of the mask that is forgotten")
    assert command(locate(project.results))[0][-1] == "results/cells/corrected_measurements.csv"
    with pytest.raises(UserError, match=r"no config.yaml"):
        command(Study(tmp_path))


def test_a_run_is_followed_to_its_end(tmp_path):
    run = python("print('rule segment:'); print('1 of 1 steps (100%) done'); raise SystemExit(3)", tmp_path)
    assert run.code is None
    run.start()
    assert ended(run) == 3
    assert list(run.lines) == ["rule segment:", "1 of 1 steps (100%) done"]
    assert run.progress == Progress(1, 1, "segment")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_stopping_is_ctrl_c_to_the_whole_group(tmp_path):
    child = "import time\ntry: time.sleep(60)\nexcept KeyboardInterrupt: open('kept', 'w').close()"
    start = f"try: subprocess.run([sys.executable, '-c', {child!r}])"
    code = f"import subprocess, sys\nprint('up')\n{start}\nexcept KeyboardInterrupt: sys.exit(130)"
    run = python(code, tmp_path)
    run.start()
    while not run.lines:
        time.sleep(0.05)
    time.sleep(1)  # the child has to be up as well
    run.stop()
    assert ended(run) == 130
    deadline = time.monotonic() + 10
    while not (tmp_path / "kept").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (tmp_path / "kept").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_what_does_not_heed_ctrl_c_is_ended_all_the_same(tmp_path):
    run = python(
        "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('up')\ntime.sleep(60)", tmp_path
    )
    run.start()
    while not run.lines:
        time.sleep(0.05)
    run.stop(patience_s=0.5)
    assert ended(run) == -15
