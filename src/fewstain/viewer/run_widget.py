"""The widget "Run the workflow": starts Snakemake for a dataset, shows how far it is, stops it, opens what it made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from fewstain.errors import UserError
from fewstain.viewer.button import button
from fewstain.viewer.closing import Closing
from fewstain.viewer.folder_field import FolderField
from fewstain.viewer.layers import image_of, told
from fewstain.viewer.reader import first_image
from fewstain.viewer.stage import faults_told, show, shown_folder
from fewstain.viewer.study import Given, Study, locate
from fewstain.viewer.workflow import REPORT, Run, command

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer

_LOOK_MS = 300
_ALL = 0  # of the cores


class RunWidget(QWidget):
    """Start, watch, stop.

    Parameters
    ----------
    viewer
        Where results are opened.
    folder
        A dataset or results folder; that of the shown layers, if any, when None.
    data
        The dataset of a results folder, if not where dataset.json says.
    """

    def __init__(self, viewer: napari.Viewer, folder: Path | str | None = None, data: Path | None = None) -> None:
        super().__init__()
        self.viewer = viewer
        self._given = Given(folder, data)
        self.study: Study | None = None
        self.run: Run | None = None
        self._shown: list[Layer] = []
        self._build()
        self._timer = QTimer(self, interval=_LOOK_MS)
        self._timer.timeout.connect(self.look)
        Closing(self, viewer, self.close_run)
        chosen = folder or shown_folder(viewer)
        if chosen:
            self.folder.set(chosen)

    def _build(self) -> None:
        self.folder = FolderField("Dataset or results folder", self.open_folder)
        self.cores = QSpinBox(minimum=_ALL, maximum=1024, value=_ALL)
        self.cores.setSpecialValueText("all cores")
        self.cores.setSuffix(" cores")
        self.start_button, self.stop_button = button("Run", self.start), button("Stop", self.stop)
        self.results_button = button("Open results", self.open_results)
        self.results_button.hide()
        self.steps, self.step = QProgressBar(), QProgressBar()
        self.log = QPlainTextEdit(readOnly=True)
        self.log.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.log.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.status = QLabel()
        self.status.setWordWrap(True)
        buttons = QHBoxLayout()
        for widget in (self.cores, self.start_button, self.stop_button):
            buttons.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.addWidget(self.folder)
        layout.addLayout(buttons)
        for widget in (self.steps, self.step, self.log, self.status, self.results_button):
            layout.addWidget(widget)
        self._refresh()

    def open_folder(self, folder: Path) -> None:
        """Choose the dataset."""
        self.study = None
        try:
            study = self._given.locate(folder)
            command(study)  # tells at once what a run would lack
            self.study = study
            self.status.setText(f"Ready to run {study.name}.")
        except UserError as error:
            self.status.setText(str(error))
        self._refresh()

    def start(self) -> None:
        """Start Snakemake; what is up to date is not made again."""
        if self.study is None or (self.run is not None and self.run.code is None):
            return
        with faults_told():
            arguments, folder = command(self.study, self.cores.value() or None)
            self.run = Run(arguments, folder)
            self.run.start()
            self.status.setText("Running; napari can be used meanwhile.")
            self.results_button.hide()
            self._timer.start()
        self._refresh()

    def stop(self) -> None:
        """Stop it as Ctrl-C does; the next run goes on from there."""
        if self.run is not None:
            self.run.stop()
            self.status.setText("Stopping: the step under way keeps its state first.")
        self._refresh()

    def look(self) -> None:
        """Show how far the run is; called several times a second."""
        if self.run is None:
            return
        text = "\n".join(self.run.lines)
        if text != self.log.toPlainText():
            self.log.setPlainText(text)
            self.log.verticalScrollBar().setValue(self.log.verticalScrollBar().maximum())
        if self.run.code is not None:
            self._timer.stop()
            self._ended(self.run.code)
        self._refresh()

    def _ended(self, code: int) -> None:
        if self.run is not None and self.run.stopped:
            self.status.setText("Stopped. Run goes on from there.")
        elif code:
            self.status.setText("It failed; the lines above say why.")
        elif self.is_in_use:
            waits = " The image to look at first opens with the button below, in place of what is open now."
            self.status.setText(f"Done.{self._report()}{waits}")
            self.results_button.show()
        else:
            self.status.setText(f"Done.{self._report()}")
            self.open_results()

    @property
    def is_in_use(self) -> bool:
        """Whether another widget has its layers on the screen, in which somebody may be drawing."""
        return any(told(layer.metadata) and layer not in self._shown for layer in self.viewer.layers)

    def _report(self) -> str:
        """Say where the report is, if one was made."""
        path = self.study.results / REPORT if self.study and self.study.results else None
        return f" The report of this dataset is {path}." if path and path.is_file() else ""

    def open_results(self) -> None:
        """Show the image to look at first."""
        if self.study is None:
            return
        with faults_told():
            self.study = locate(self.study.data)
            name = first_image(self.study)
            if name:
                self._shown = show(self.viewer, image_of(self.study, name))
                self.viewer.reset_view()
                self.results_button.hide()

    def _refresh(self) -> None:
        running = self.run is not None and self.run.code is None
        self.start_button.setEnabled(self.study is not None and not running)
        self.stop_button.setEnabled(running and self.run is not None and not self.run.stopped)
        progress = self.run.progress if self.run else None
        self.steps.setRange(0, max(1, progress.steps if progress else 1))
        self.steps.setValue(progress.done if progress else 0)
        self.steps.setFormat(f"{progress.done} of {progress.steps} steps" if progress and progress.steps else "")
        self.step.setRange(0, 0 if running and progress and progress.share is None else 100)
        self.step.setValue(round(100 * progress.share) if progress and progress.share is not None else 0)
        self.step.setFormat(f"{progress.rule} %p%" if progress else "")

    def close_run(self) -> None:
        """Stop a run that nobody watches any more."""
        self._timer.stop()
        if self.run is not None:
            self.run.stop()
