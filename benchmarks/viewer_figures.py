"""Pictures of the napari plugin for docs/napari.md, taken of the real window.

viewer_figures.py RESULTS_DIR [--out docs/figures] [--size 1300x800] [--only inspect|label|run]

RESULTS_DIR is of a finished run. It is worked on a copy: neither it nor its dataset is changed. Needs the extra
fewstain[napari], and Xvfb where there is no screen.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from fewstain.provenance import find_dataset, write_record
from fewstain.storage import read_json
from fewstain.viewer.display import start_virtual_display

SNAKEFILE = """
rule segment_pool:
    output: "results/{path,.*/((corrected_)?measurements.csv|scores.json|report/.*)}"
    shell: "echo 'segmenting: 1/2, peak 0.66 GiB, 0:00:20 left'; sleep 600"
"""


def copy_project(results: Path, folder: Path) -> tuple[Path, Path]:
    """Copy what the viewer needs; dataset and results folder of the copy."""
    name = results.name
    data, made = folder / "data" / name, folder / "results" / name
    shutil.copytree(find_dataset(results), data, ignore=shutil.ignore_patterns(".*", "test"))
    for kind in ("masks", "uncertainty"):
        shutil.copytree(results / kind, made / kind)
    for table in ("measurements.csv", "counts.csv"):
        shutil.copy(results / table, made)
    write_record(made / "dataset.json", data, read_json(results / "dataset.json")["pixel_sizes_um"])
    (folder / "config.yaml").write_text(f"datasets:\n  {name}:\n", encoding="utf-8")
    (folder / "Snakefile").write_text(SNAKEFILE, encoding="utf-8")
    return data, made


def take(viewer: Any, path: Path) -> None:
    """Let the window settle, and save its picture; a black canvas is an error."""
    from qtpy.QtTest import QTest

    QTest.qWait(1500)
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    canvas = viewer.screenshot(canvas_only=True, flash=False)
    if canvas[..., :3].max() <= 20:
        raise SystemExit(f"{path}: the canvas is black")


def label_picture(viewer: Any, data: Path, out: Path) -> None:
    """Take a pre-drawn window, and one with a doubt about it."""
    from qtpy.QtTest import QTest

    from fewstain.viewer.label_widget import LabelWidget

    widget = LabelWidget(viewer, data)
    dock = viewer.window.add_dock_widget(widget, name="Label windows")
    widget.count.setValue(12)
    widget.suggest()
    while widget.is_choosing:
        QTest.qWait(100)
    QTest.qWait(1000)
    for _ in range(3):
        widget.session.save(widget.window_, widget.layer.data)
        widget.skip()
    left = [index for index, window in enumerate(widget.session.windows) if not widget.session.is_done(window)]
    widget.open(max(left, key=lambda index: widget.session.open(widget.session.windows[index]).labels.max()))
    QTest.qWait(500)
    viewer.fit_to_view(layers=[widget.layer], margin=0.1)
    take(viewer, out / "napari-label.png")
    sizes = np.bincount(widget.layer.data.ravel())
    biggest = int(sizes[1:].argmax()) + 1
    rows, columns = np.nonzero(widget.layer.data == biggest)
    middle = int(np.median(columns))
    cut = (rows[abs(columns - middle) < 2], columns[abs(columns - middle) < 2])
    widget.layer.data_setitem(cut, 0)
    widget.save()
    take(viewer, out / "napari-label-doubt.png")
    widget.close_session()
    viewer.window.remove_dock_widget(dock)


def inspect_pictures(viewer: Any, results: Path, out: Path) -> None:
    """Take the most uncertain object that is left, and the uncertainty of its whole image."""
    from qtpy.QtTest import QTest

    from fewstain.viewer.inspect_widget import InspectWidget

    widget = InspectWidget(viewer, results)
    dock = viewer.window.add_dock_widget(widget, name="Look at objects")
    QTest.qWait(500)
    for row in range(4):
        widget.view.selectRow(row)
        widget.accept()
    take(viewer, out / "napari-inspect.png")
    widget.toggle_uncertainty()
    viewer.reset_view()
    take(viewer, out / "napari-uncertainty.png")
    widget.close_review()
    viewer.window.remove_dock_widget(dock)


def run_picture(viewer: Any, data: Path, out: Path) -> None:
    """Take a run under way; the steps are made up, so that it lasts."""
    from qtpy.QtTest import QTest

    from fewstain.viewer.layers import image_of
    from fewstain.viewer.reader import first_image
    from fewstain.viewer.run_widget import RunWidget
    from fewstain.viewer.stage import show
    from fewstain.viewer.study import locate

    widget = RunWidget(viewer, data)
    viewer.window.add_dock_widget(widget, name="Run the workflow")
    study = locate(data)
    show(viewer, image_of(study, first_image(study) or ""))
    widget.start()
    for _ in range(3000):
        QTest.qWait(100)
        if widget.run and (widget.run.progress.share or widget.run.code is not None):
            break
    if widget.run is None or widget.run.code is not None:
        raise SystemExit("the run ended before its picture was taken:\n" + widget.log.toPlainText())
    viewer.reset_view()
    while widget.run and widget.run.lines and not widget.run.lines[0].startswith("Building DAG"):
        widget.run.lines.popleft()  # what comes first tells of the machine
    take(viewer, out / "napari-run.png")
    if widget.run:
        widget.run.stop(patience_s=5)
        while widget.run.code is None:
            QTest.qWait(100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    parser.add_argument("--size", default="1300x800")
    parser.add_argument("--only", choices=("inspect", "label", "run"), help="one widget instead of all")
    arguments = parser.parse_args()
    width, height = (int(side) for side in arguments.size.split("x"))
    if not start_virtual_display(width + 40, height + 40):
        raise SystemExit("neither a display nor Xvfb")
    os.environ["NAPARI_CONFIG"] = ""  # defaults; neither read nor write the user's own
    import napari

    arguments.out = arguments.out.resolve()
    arguments.results = arguments.results.resolve()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # what the window shows is short
        data, results = copy_project(arguments.results, Path(folder))
        viewer = napari.Viewer(title="fewstain", show=True)
        viewer.window.resize(width, height)
        pictures = {"inspect": (inspect_pictures, results), "label": (label_picture, data), "run": (run_picture, data)}
        for name, (picture, place) in pictures.items():
            if arguments.only in (None, name):
                picture(viewer, place, arguments.out)
        viewer.close()


if __name__ == "__main__":
    main()
