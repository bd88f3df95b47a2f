"""The widget "Look at objects": objects are decided on and corrected by single keys."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fewstain.viewer.choice import next_open
from fewstain.viewer.layers import told
from fewstain.viewer.linked_review import LinkedReview
from fewstain.viewer.review import Review
from fewstain.viewer.study import Given

if TYPE_CHECKING:
    import napari

_NOT_DRAWN = "Nothing is drawn there: draw first, or Ctrl+Z brings it back."


class InspectWidget(LinkedReview):
    """Go through the objects, accept or mend them.

    Parameters
    ----------
    viewer
        Where the images are shown.
    folder
        A results or dataset folder; that of the shown layers, if any, when None.
    data
        The dataset of a results folder, if not where dataset.json says.
    """

    def __init__(self, viewer: napari.Viewer, folder: Path | str | None = None, data: Path | None = None) -> None:
        super().__init__(viewer)
        actions = {
            "A": ("Accept", self.accept),
            "R": ("Reject", self.reject),
            "S": ("Split", self.split),
            "J": ("Join chosen", self.join),
            "D": ("Redraw", self.redraw),
            "M": ("Draw missed", self.draw_missed),
            "N": ("Next left", self.go_on),
            "U": ("Uncertainty", self.toggle_uncertainty),
        }
        self.start(actions, Given(folder, data))

    def accept(self) -> None:
        """Accept the chosen objects, and what was drawn; go to the next one left. Accepted ones: take that back."""
        if self.review is None or self.mask is None:
            return
        if self.chosen and not self.review.drawn(self.chosen):
            self.status.setText(_NOT_DRAWN)
            return
        self.mask.put_brush_away()
        if self.chosen:
            taken_back = self.review.accept(self.chosen)
            self.changed()
            if taken_back:
                self.status.setText("No longer accepted; A accepts again.")
            else:
                self._go_on_here()

    def reject(self) -> None:
        """Remove the chosen objects from the corrected mask; go to the next one left."""
        if self.mask is not None and self.chosen:
            self.mask.put_brush_away()
            self.mask.reject(self.chosen)
            self._go_on_here()

    def split(self) -> None:
        """Cut the chosen object in two where it is narrowest."""
        if self.mask is None or self.review is None:
            return
        self.mask.put_brush_away()
        for label in self.chosen:
            if gone := _gone(self.review, [label]):
                self.status.setText(gone)
                continue
            try:
                self.mask.split(label, self.review.next_label(self.mask.layer.data))
            except ValueError as error:
                self.status.setText(f"Not split: {error}")

    def join(self) -> None:
        """Make one object of those chosen (Shift and click chooses several)."""
        if self.mask is None or self.review is None:
            return
        self.mask.put_brush_away()
        if gone := _gone(self.review, self.chosen):
            self.status.setText(gone)
        elif len(self.chosen) < 2:
            self.status.setText("Choose two objects or more to join: click one, Shift and click others.")
        else:
            self.mask.join(self.chosen)

    def redraw(self) -> None:
        """Take the chosen object away and hand over the brush; A accepts what was drawn."""
        if self.mask is not None and len(self.chosen) == 1:
            self.mask.redraw(self.chosen[0])
            self.status.setText("Draw the object anew (brush 2, polygon 3); A accepts it, Ctrl+Z takes it back.")

    def draw_missed(self) -> None:
        """Hand over the brush for an object that the model missed; A accepts it."""
        if self.mask is not None and self.review is not None:
            label = self.review.next_label(self.mask.layer.data)
            self.choose([label])
            self.mask.draw(label)
            self.status.setText("Draw the missed object (brush 2, polygon 3); A accepts it, Ctrl+Z takes it back.")

    def go_on(self) -> None:
        """Choose the next object that nobody has decided on, as the table is sorted: in this image, then in others."""
        if not self._choose_next(elsewhere=True):
            self.status.setText("All objects that are shown have been decided on.")

    def _go_on_here(self) -> None:
        """Choose the next object left in this image; at its end, leave it to the user to go on to another."""
        if not self._choose_next(elsewhere=False):
            self.choose([])
            hidden = self.review is not None and self.image is not None and self.review.left_in(self.image)
            self.status.setText(
                "All objects of this image that are shown are decided: N goes on."
                if hidden
                else "All of this image is decided: N goes on, or use it as labels."
            )

    def _choose_next(self, *, elsewhere: bool) -> bool:
        """Choose the object left that comes after the chosen one; tell whether there is one."""
        if self.review is None:
            return False
        if self.mask is not None:
            self.mask.put_brush_away()
        after = next(iter(self.review.rows(self.chosen[-1:])), None)
        order = self.model.order_with(after)
        following = next_open(self.review.table, order, self.image, after, elsewhere=elsewhere)
        if following is None or following not in self.model.order:
            return False
        self.choose_objects(self.model.objects_at([following]))
        return True

    def toggle_uncertainty(self) -> None:
        """Show or hide the uncertainty map."""
        for layer in self.viewer.layers:
            if told(layer.metadata).get("kind") == "uncertainty":
                layer.visible = not layer.visible


def _gone(review: Review, labels: Sequence[int]) -> str:
    """Say why nothing can be done to the first of some objects that is not in the mask; "" where all are."""
    missing = [label for label in labels if label not in review.drawn(labels)]
    if not missing:
        return ""
    rejected = f"Object {missing[0]} was rejected: Ctrl+Z brings it back."
    return rejected if review.rows(missing[:1]) else _NOT_DRAWN
