"""The list of windows beside the canvas: a folder's session taken up, new windows chosen, and which one is open."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from napari.layers import Labels

from fewstain.suggest import Suggestion
from fewstain.viewer.aside import Aside
from fewstain.viewer.label_form import LabelForm
from fewstain.viewer.session import Session, begin, resume, suggest_new
from fewstain.viewer.stage import clear, faults_told
from fewstain.viewer.study import Given, Study

if TYPE_CHECKING:
    import napari

UNSAVED = "Not saved yet: S saves, and goes on."


class WindowList(LabelForm):
    """Which windows there are; what is done in the open one is up to `LabelWidget`.

    Parameters
    ----------
    viewer
        Where windows are shown.
    given
        The folder that it was opened with.
    """

    def __init__(self, viewer: napari.Viewer, given: Given) -> None:
        super().__init__()
        self.viewer = viewer
        self._given = given
        self._aside = Aside(self)
        self.session: Session | None = None
        self.index = -1
        self.layer: Labels | None = None

    def open(self, index: int) -> None:
        """Show a window."""
        raise NotImplementedError

    def keep(self) -> None:
        """Write a draft, if something was drawn since the last one."""
        raise NotImplementedError

    @property
    def window_(self) -> Suggestion | None:
        """The window that is open."""
        return self.session.windows[self.index] if self.session and self.index >= 0 else None

    @property
    def is_shown(self) -> bool:
        """Whether the open window is on the screen, not what another widget put in its place."""
        return self.layer is not None and self.layer in self.viewer.layers

    @property
    def is_choosing(self) -> bool:
        """Whether windows are being chosen."""
        return self._aside.busy

    def open_folder(self, folder: Path) -> None:
        """Take up the dataset's session where it was left, if there is one."""
        self.keep()
        with faults_told():
            study = self._given.locate(folder)
            self._take(resume(study) or Session(study, ()))

    def suggest(self) -> None:
        """Choose new windows, while napari can be used; those saved or begun stay."""
        if self.session is None or self.is_choosing:
            return
        self.keep()
        study, n, side = self.session.study, self.count.value(), self.side.value()
        self._aside.begin(lambda: suggest_new(study, n, side), lambda future: self._chosen(study, future))
        self.tell("Choosing windows; you can go on drawing meanwhile.")
        self.refresh()

    def _chosen(self, study: Study, future: Future[list[Suggestion]]) -> None:
        self.keep()
        self.tell("No windows were chosen.")
        self.refresh()
        if self.session is None or self.session.study != study:  # another folder was opened meanwhile
            return
        with faults_told():
            new = future.result()
            self._take(begin(study, new))
            if not new:
                self.tell("There are no further windows of this side; a smaller one gives more.")

    def _take(self, session: Session) -> None:
        """Show a list of windows, and the first one left; strokes on the screen that are not saved stay there."""
        before = self.window_ if self.is_shown else None
        self.session, self.index = session, -1
        self.list.blockSignals(True)
        self.list.clear()
        self.list.addItems([window.name for window in session.windows])
        self.list.blockSignals(False)
        if before in session.windows and session.is_unsaved(before):
            self.index = session.windows.index(before)
            self.tell(UNSAVED)
        else:
            if self.is_shown:
                clear(self.viewer)  # what would be drawn there would be of no window
            self.layer = None
            following = session.next_open()
            if session.windows:
                self.open(0 if following is None else following)
        self.refresh()

    def row_chosen(self, row: int) -> None:
        """Open the window of a row; -1 is none."""
        if row >= 0 and row != self.index:
            self.open(row)

    def refresh(self) -> None:
        """Show how far each window is."""
        self.show_session(self.session, self.index, drawing=self.layer is not None, choosing=self.is_choosing)
