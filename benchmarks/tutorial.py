"""Runs docs/tutorial.md as a new user would; takes its times and pictures.

    python benchmarks/tutorial.py [--page docs/tutorial.md] [--out docs/figures]

In an empty folder with a copy of the workflow, the commands of the steps 2, 4, 5, 7 and 10 of the page are run as they
stand. The package is the one that is installed. The images come with Python packages, config.yaml is written, and the
windows of napari are opened by this script: labels that people drew of the same image are saved in them, and the most
uncertain objects are accepted. Needs the extras demo and napari, and Xvfb where there is no screen. Beside each step's
heading the page then tells how long it took.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from page import replace_tables

from fewstain.demo import BINNING, binned, packaged
from fewstain.images.read import read_image, read_labels
from fewstain.images.write import write_image
from fewstain.storage import read_json
from fewstain.viewer.display import start_virtual_display

REPOSITORY = Path(__file__).resolve().parents[1]
NAME, WINDOWS = "nuclei", 8
ACCEPTED = 5  # of the most uncertain objects
STEPS = {  # number of a step that is timed, and how its command begins
    2: "fewstain init",
    4: "fewstain check",
    5: "fewstain suggest",
    7: "snakemake",
    10: "snakemake",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, default=REPOSITORY / "docs" / "tutorial.md")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "figures")
    options = parser.parse_args()
    page, out = options.page.resolve(), options.out.resolve()
    if not start_virtual_display(1340, 840):
        raise SystemExit("neither a display nor Xvfb")
    os.environ["NAPARI_CONFIG"] = ""  # defaults; neither read nor write the user's own
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        copy_workflow(place)
        os.chdir(place)
        seconds = {}
        for step, act in steps(text, place, out):
            start = time.monotonic()
            act()
            seconds[step] = time.monotonic() - start
        text = replace_tables(text, counts(place / "results" / NAME), "tutorial counts")
    text = replace_tables(with_times(text, seconds), machine(), "tutorial machine")
    page.write_text(text, encoding="utf-8")


def copy_workflow(place: Path) -> None:
    """Copy what a clone has for `snakemake --cores all`; the profile has the report made."""
    for file in ("Snakefile", "environment.yml"):
        shutil.copy(REPOSITORY / file, place)
    for folder in ("workflow", "profiles"):
        shutil.copytree(REPOSITORY / folder, place / folder)


def steps(text: str, place: Path, out: Path) -> Iterator[tuple[int, Callable[[], None]]]:
    """Give the steps of the page in order, and what to do for each."""
    for step in range(2, 11):
        if step in STEPS:
            command = command_of(text, step, STEPS[step])
            yield step, lambda command=command: run(command)
        if step == 2:
            (place / "config.yaml").write_text(f"datasets:\n  {NAME}:\npreset: demo\n", encoding="utf-8")
        elif step == 3:
            put_images(place / "data" / NAME / "images")
        elif step == 6:
            in_window(lambda viewer: label(viewer, place / "data" / NAME, out / "tutorial-label.png"))
        elif step == 8:
            check_report(place / "results" / "report.html")
            pictures = sorted((place / "results" / NAME / "report" / "pool").glob("*.png"))
            shutil.copy(pictures[0], out / "tutorial-pool.png")
        elif step == 9:
            in_window(lambda viewer: mend(viewer, place / "results" / NAME, out / "tutorial-inspect.png"))


def command_of(text: str, step: int, begins: str) -> str:
    """Find the command of a step in the page."""
    section = text.split(f"\n## {step}. ")[1].split("\n## ")[0]
    found = [line.strip() for line in section.splitlines() if line.startswith(f"    {begins}")]
    if len(found) != 1:
        raise SystemExit(f"step {step} of the page has {len(found)} commands that begin with {begins!r}, not one")
    return found[0]


def check_report(path: Path) -> None:
    """End the tutorial where the report that a step speaks of was not made."""
    if not path.is_file():
        raise SystemExit(f"{path}: the run made no report, which step 8 of the page says to open")


def run(command: str) -> None:
    """Run a command of the page; a fault in it ends the tutorial."""
    print(f"$ {command}", flush=True)
    subprocess.run(command, shell=True, check=True)


def put_images(folder: Path) -> None:
    """Write the images: stardist's whole, and mahotas' at the same size of nuclei."""
    pixels = read_image(packaged("stardist", "data/images/img2d.tif")).pixels
    low, high = float(pixels.min()), float(pixels.max())
    write_image(folder / "plate-1.tif", ((pixels - low) / (high - low) * 255).astype(np.uint8))
    nuclear = read_image(packaged("mahotas", "demos/data/nuclear.png")).pixels[:, :, :1]
    write_image(folder / "plate-2.tif", binned(nuclear, BINNING))


def in_window(act: Callable[[Any], None]) -> None:
    """Open napari's window for a part of the tutorial."""
    import napari

    viewer = napari.Viewer(title="fewstain", show=True)
    viewer.window.resize(1300, 800)
    act(viewer)
    viewer.close()


def label(viewer: Any, data: Path, picture: Path) -> None:
    """Walk through the suggested windows; those of the labeled image get what people drew there."""
    from qtpy.QtTest import QTest
    from viewer_figures import take

    from fewstain.viewer.label_widget import LabelWidget

    drawn = read_labels(packaged("stardist", "data/images/mask2d.tif"))
    widget = LabelWidget(viewer, data)
    viewer.window.add_dock_widget(widget, name="Label windows")
    if len(widget.session.windows) != WINDOWS:
        raise SystemExit(f"step 5 listed {len(widget.session.windows)} windows for napari, not {WINDOWS}")
    for index, window in enumerate(widget.session.windows):
        if window.image.stem != "plate-1":
            continue  # nobody drew labels of the other image
        widget.open(index)
        true = window.cut(drawn)
        inside = np.nonzero(true)
        widget.layer.data_setitem(inside, true[inside].tolist())
        if widget.session.done == 0:
            QTest.qWait(500)  # until the canvas has its size beside the widget
            viewer.fit_to_view(layers=[widget.layer], margin=0.1)
            take(viewer, picture)
        widget.session.save(window, widget.layer.data)
    widget.close_session()


def mend(viewer: Any, results: Path, picture: Path) -> None:
    """Accept the most uncertain objects, and reject the next."""
    from qtpy.QtTest import QTest
    from viewer_figures import take

    from fewstain.viewer.inspect_widget import InspectWidget

    widget = InspectWidget(viewer, results)
    viewer.window.add_dock_widget(widget, name="Look at objects")
    QTest.qWait(500)
    widget.view.selectRow(0)
    take(viewer, picture)
    for row in range(ACCEPTED):
        widget.view.selectRow(row)
        widget.accept()
    widget.view.selectRow(ACCEPTED)
    widget.reject()
    widget.close_review()


def with_times(text: str, seconds: dict[int, float]) -> str:
    """Write the times behind the headings of the steps."""
    for step, taken in seconds.items():
        told = f"{taken:.0f} s" if taken < 100 else f"{taken / 60:.0f} min"
        text = re.sub(rf"(?m)^(## {step}\. [^·\n]*?)( · .*)?$", rf"\1 · {told}", text)
    return text


def machine() -> str:
    """Tell what the times are of."""
    return f"Times are of a machine of {os.cpu_count()} {platform.machine()} cores without a GPU."


def counts(results: Path) -> str:
    """Show the table of counts, and what the out-of-fold scores say."""
    table = pd.read_csv(results / "corrected_counts.csv")
    scores = read_json(results / "scores.json")["out_of_fold"]
    lines = ["| image | nuclei |", "| --- | --- |"]
    lines += [f"| {image} | {objects} |" for image, objects in zip(table["image"], table["objects"], strict=True)]
    told = f"Out-of-fold AP50 {scores['AP50']:.2f} on {scores['n_objects']} nuclei of {scores['n_images']} windows."
    return "\n".join([*lines, "", told])


if __name__ == "__main__":
    main()
