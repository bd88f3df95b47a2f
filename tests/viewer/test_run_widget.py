"""Snakemake started, watched, stopped and opened from the real window."""

import time

import pytest

pytest.importorskip("napari", reason="the extra fewstain[napari] is not installed", exc_type=ImportError)
pytest.importorskip("qtpy.QtWidgets", reason="libraries that Qt needs are missing", exc_type=ImportError)

from qtpy.QtTest import QTest

from fewstain.images.read import read_labels
from fewstain.viewer.label_widget import LabelWidget
from fewstain.viewer.run_widget import RunWidget
from fewstain.viewer.session import begin, suggest_new
from fewstain.viewer.study import locate

SNAKEFILE = """
rule segment_pool:
    output: "results/cells/{part,(scores.json|measurements.csv|report/.*)}"
    shell: "echo 'segmenting: 1/2, x'; SLEEP; echo of {wildcards.part}; touch {output}"
"""


@pytest.fixture
def widget(viewer, project):
    widget = RunWidget(viewer, project.data)
    viewer.window.add_dock_widget(widget, name="Run the workflow")
    yield widget
    if widget.run is not None:
        widget.run.stop(patience_s=1)


PROFILE = """
report: results/report.html
report-after-run: true
"""


def start(widget, project, sleep):
    (project.folder / "profiles" / "default").mkdir(parents=True)
    (project.folder / "profiles" / "default" / "config.yaml").write_text(PROFILE)
    write_snakefile(project, sleep)
    widget.start_button.click()


def write_snakefile(project, sleep):
    (project.folder / "Snakefile").write_text(SNAKEFILE.replace("SLEEP", f"sleep {sleep}"))


def wait(widget, condition, seconds=120):
    deadline = time.monotonic() + seconds
    while (
        not condition()
        and widget.status.text() != "It failed; the lines above say why."
        and time.monotonic() < deadline
    ):
        QTest.qWait(100)
    assert condition(), (widget.status.text(), widget.log.toPlainText())


def test_a_run_is_shown_to_its_end_and_its_results_open(widget, project, viewer):
    start(widget, project, 0)
    assert not widget.start_button.isEnabled()
    assert widget.stop_button.isEnabled()
    whole = project.folder / "results" / "report.html"
    whole.write_text("of all datasets")
    wait(widget, lambda: widget.status.text().startswith("Done."))
    assert str(project.results / "report.html") in widget.status.text()
    assert (project.results / "report.html").is_file()
    assert whole.read_text() == "of all datasets"
    assert "of scores.json" in widget.log.toPlainText()
    assert widget.steps.format() == "4 of 4 steps"
    assert (project.results / "report" / "tables").exists()
    assert "b masks" in viewer.layers
    assert widget.start_button.isEnabled()


def test_a_window_that_is_drawn_in_stays_until_results_are_asked_for(widget, project, viewer):
    begin(locate(project.data), suggest_new(locate(project.data), n=1, size=32))
    label = LabelWidget(viewer, project.data)
    start(widget, project, 0)
    label.layer.data[3:9, 3:9] = 7  # a stroke under way
    wait(widget, lambda: widget.status.text().startswith("Done."))
    assert label.is_shown
    assert "b masks" not in viewer.layers
    assert widget.results_button.isVisible()
    label._timer.stop()
    label.layer.data[3:9, 3:9] = 8
    widget.results_button.click()
    assert "b masks" in viewer.layers
    assert not label.is_shown
    assert not widget.results_button.isVisible()
    assert (read_labels(label.session.draft(label.window_))[3:9, 3:9] == 8).all()
    widget._ended(0)
    assert not widget.results_button.isVisible()  # its own layers are in nobody's way
    label.close_session()


def test_a_stopped_run_can_be_started_again(widget, project):
    start(widget, project, 600)
    wait(widget, lambda: widget.step.value() == 50)
    assert widget.steps.format() == "0 of 4 steps"
    widget.stop_button.click()
    wait(widget, lambda: widget.status.text().startswith("Stopped"))
    assert not (project.results / "scores.json").exists()
    assert widget.start_button.isEnabled()
    write_snakefile(project, 0.2)
    widget.start_button.click()
    assert widget.stop_button.isEnabled()
    wait(widget, lambda: widget.status.text().startswith("Done."))
    assert (project.results / "scores.json").is_file()
    assert widget.steps.format() == "4 of 4 steps"


def test_a_dataset_that_cannot_be_run_is_not_taken(widget, project):
    assert widget.start_button.isEnabled()
    (project.folder / "config.yaml").write_text("datasets:\n  others:\n")
    widget.open_folder(project.data)
    assert not widget.start_button.isEnabled()
    assert "names this dataset" in widget.status.text()
