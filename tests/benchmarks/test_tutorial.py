import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))
SPEC = importlib.util.spec_from_file_location("benchmark_tutorial", FOLDER / "tutorial.py")
tutorial = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tutorial)
PAGE = (FOLDER.parent / "docs" / "tutorial.md").read_text(encoding="utf-8")


def test_every_timed_step_has_its_command_on_the_page():
    commands = {step: tutorial.command_of(PAGE, step, begins) for step, begins in tutorial.STEPS.items()}
    assert commands[4] == "fewstain check data/nuclei"
    assert commands[7] == commands[10] == "snakemake --cores all"


def test_a_command_that_is_not_there_ends_the_tutorial():
    with pytest.raises(SystemExit, match="step 4 of the page has 0 commands"):
        tutorial.command_of(PAGE, 4, "snakemake")


def test_times_stand_behind_the_headings_and_are_replaced():
    text = "# T\n\n## 4. Check them\n\ntext\n\n## 7. Run · 3 s\n"
    timed = tutorial.with_times(text, {4: 1.2, 7: 432.0})
    assert timed == "# T\n\n## 4. Check them · 1 s\n\ntext\n\n## 7. Run · 7 min\n"
    assert tutorial.with_times(timed, {4: 1.2}) == timed


def test_the_copy_of_the_workflow_makes_the_report_that_the_page_speaks_of(tmp_path):
    tutorial.copy_workflow(tmp_path)
    assert (tmp_path / "Snakefile").is_file()
    assert "report: results/report.html" in (tmp_path / "profiles" / "default" / "config.yaml").read_text()
    with pytest.raises(SystemExit, match="made no report"):
        tutorial.check_report(tmp_path / "results" / "report.html")


def test_the_page_says_which_steps_are_run():
    steps = [str(step) for step in sorted(tutorial.STEPS)]
    assert f"steps {', '.join(steps[:-1])} and {steps[-1]} as they stand" in " ".join(PAGE.split())
