"""A results folder and one of its images on the screen: its objects in a table, its mask kept in step with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Labels
from qtpy.QtCore import Qt, QTimer

from fewstain.pixels.decisions import DECISION
from fewstain.viewer.canvas import add_frames
from fewstain.viewer.closing import Closing
from fewstain.viewer.inspect_form import InspectForm
from fewstain.viewer.layers import image_of, mask_of, pixels_of, uncertainty_of
from fewstain.viewer.reader import first_image
from fewstain.viewer.review import Review
from fewstain.viewer.shown_mask import ShownMask
from fewstain.viewer.stage import bind_keys, clear, faults_told, show, shown_folder
from fewstain.viewer.study import Given

if TYPE_CHECKING:
    import napari

_SAVED_AT_ONCE = 2048 * 2048
"""Pixels up to which a mask is written after each change; larger ones when the hands rest."""
_REST_MS = 4000
_LATEST_MS = 30_000
"""How long a change of a large mask waits for a rest at most."""


class OpenedReview(InspectForm):
    """Opens folders and images, and writes what changed in them; what is chosen is up to `LinkedReview`.

    Parameters
    ----------
    viewer
        Where the images are shown.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.review: Review | None = None
        self._given = Given()
        self._actions: dict[str, Callable[[], None]] = {}
        self._layers: list[Any] = []
        self._release_keys: Callable[[], None] = lambda: None
        self._mask: ShownMask | None = None
        self.image: str | None = None
        self._dirty = False

    def start(self, actions: Mapping[str, tuple[str, Callable[[], None]]], given: Given) -> None:
        """Make the controls, and open a folder.

        Parameters
        ----------
        actions
            Key -> title and action, as of `build`; the keys work on the canvas too, while it shows an image of ours.
        given
            The folder; that of the shown layers, if any, when it names none.
        """
        self.build(actions, open_folder=self.open_folder, use_as_labels=self.use_as_labels, discard=self.discard)
        self.images.textActivated.connect(self.open_image)
        self.shown.currentTextChanged.connect(self._filter)
        self.this_image.toggled.connect(self._filter)
        self._rest = QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self.keep)
        self._latest = QTimer(self, singleShot=True, interval=_LATEST_MS)
        self._latest.timeout.connect(self.keep)
        self._actions = {key: action for key, (_, action) in actions.items()}
        Closing(self, self.viewer, self.close_review)
        self._given = given
        chosen = given.folder or shown_folder(self.viewer)
        if chosen:
            self.folder.set(chosen)

    @property
    def mask(self) -> ShownMask | None:
        """The mask of the open image; None while another widget shows its layers instead: nothing is changed unseen."""
        return self._mask if self._mask is not None and self._mask.layer in self.viewer.layers else None

    @property
    def layer(self) -> Labels | None:
        """The layer of that mask."""
        return self.mask.layer if self.mask is not None else None

    # --- folder and image

    def open_folder(self, folder: Path) -> None:
        """Show the objects of a results folder, the most uncertain first."""
        self.keep()
        with faults_told():
            study = self._given.locate(folder)
            self._take(Review(study))
            if name := first_image(study):
                self.open_image(name)

    def _take(self, review: Review) -> None:
        """Show the table of a review, and nothing more of the one before: its mask would be changed without a table."""
        self._leave_image()
        self.review = review
        self.choice.take([])
        self.images.clear()
        self.images.addItems(list(review.study.images))
        self.model.set_table(review.table)
        if "uncertainty" in self.model.columns:
            self.view.fit_columns()
            self.view.sortByColumn(self.model.columns.index("uncertainty"), Qt.SortOrder.DescendingOrder)
        if review.carried:
            self.status.setText(_carried(review.carried))

    def open_image(self, name: str) -> None:
        """Show an image with its mask, corrected if it was."""
        if self.review is None:
            return
        self.keep()
        with faults_told():
            if self.review.is_outdated:  # else the objects of a run's new masks would be taken for changed ones
                self._take(Review(self.review.study))
            self._show(self.review, name)
        self.images.setCurrentIndex(self.images.findText(self.image or ""))

    def _show(self, review: Review, name: str) -> None:
        layers = image_of(review.study, name)
        place = mask_of(layers)
        if place is not None:
            # before the screen changes: it may refuse
            review.open(name, pixels_of(layers), layers[place][0], uncertainty_of(layers))
        self._layers = show(self.viewer, layers)
        self._release_keys = bind_keys(self.viewer, self._actions)
        self._mask = None if place is None else ShownMask(self._layers[place], self._synced, self._undone)
        self.image = name
        if self.mask is None:
            self.status.setText("This image was not segmented yet.")
            return
        self.mask.watch()
        bind_keys(self.mask.layer, {"M": self._actions["M"]})  # else napari's own M goes before
        add_frames(self.viewer, name)
        self.viewer.layers.selection.active = self.mask.layer
        self.viewer.reset_view()
        self._table_changed()

    def keep(self) -> None:
        """Write the mask and the decisions, if there are new ones."""
        self._rest.stop()
        self._latest.stop()
        if self._dirty and self.review is not None and self._mask is not None:
            with faults_told():
                self.review.write(self._mask.layer.data)
                self._dirty = False

    def use_as_labels(self) -> None:
        """Let the next run learn from this image's corrected mask."""
        self.keep()
        if self.review is not None and self.image is not None:
            with faults_told():
                path = self.review.use_as_labels(self.image)
                self.status.setText(f"Wrote {path}. The next run learns from it.")

    def discard(self) -> None:
        """Go back to the predicted mask of this image; the corrections are moved aside."""
        self.keep()
        if self.review is None or self.image is None:
            return
        self.choice.take([])
        with faults_told():
            name, aside = self.image, self.review.discard(self.image)
            self._dirty = False
            self._leave_image()
            self.open_image(name)
            self.status.setText(_moved(aside))

    # --- keeping mask and table in step

    def _undone(self) -> None:
        self._synced(undone=True)

    def _synced(self, among: Sequence[int] | None = None, *, undone: bool = False) -> None:
        if self.review is None or self.layer is None:
            return
        before = self.review.table[DECISION].copy()
        if self.review.sync(self.layer.data, among=among, undone=undone) or not before.equals(
            self.review.table[DECISION]
        ):
            self.changed()

    def changed(self) -> None:
        """Keep the mask and the decisions, soon or at once, and show them in the table."""
        self._dirty = True
        if self.layer is not None and self.layer.data.size <= _SAVED_AT_ONCE:
            self.keep()
        else:
            self._rest.start()
            if not self._latest.isActive():
                self._latest.start()
        self._table_changed()

    def _table_changed(self) -> None:
        if self.review is None:
            return
        self._filter()
        self.show_left(self.review, self.image)

    def _filter(self) -> None:
        if self.review is not None:
            self.filter(self.review, self.image)

    def close_review(self) -> None:
        """Keep what was decided, and take keys and layers away, unless they are another widget's."""
        self.keep()
        self._release_keys()
        self._leave_image()

    def _leave_image(self) -> None:
        """Take the open image off the screen, unless another widget has done so."""
        self._mask, self.image = None, None
        if any(layer in self.viewer.layers for layer in self._layers):
            clear(self.viewer)


def _carried(images: Sequence[str]) -> str:
    return (
        f"Corrected on an earlier model's masks: {', '.join(images)}. What you decided on was carried over; all other "
        "objects there are those of the current model, and left to look at."
    )


def _moved(aside: Path | None) -> str:
    if aside is None:
        return "Nothing was decided in this image."
    return (
        f"The prediction counts. What was corrected is in {aside} now; move it to {aside.parents[1]} to have it again."
    )
