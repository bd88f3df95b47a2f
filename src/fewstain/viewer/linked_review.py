"""A review on the screen: what is chosen in the table of objects is chosen in the image, and the other way round."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fewstain.viewer.canvas import FRAMES, clicked_label, frame, go_to
from fewstain.viewer.choice import Object
from fewstain.viewer.opened_review import OpenedReview
from fewstain.viewer.study import Given

if TYPE_CHECKING:
    import napari


class LinkedReview(OpenedReview):
    """Links the table with the open image; what is done to the chosen objects is up to `InspectWidget`."""

    def start(self, actions: Mapping[str, tuple[str, Callable[[], None]]], given: Given) -> None:
        """Make the controls, open a folder, and listen to clicks; see `OpenedReview.start`."""
        super().start(actions, given)
        self.view.selectionModel().selectionChanged.connect(self._rows_chosen)
        self.viewer.mouse_drag_callbacks.append(self._clicked)

    @property
    def chosen(self) -> list[int]:
        """Labels of the chosen objects in the open image, the one chosen first in front."""
        return self.choice.labels(self.image)

    def choose(self, labels: Sequence[int]) -> None:
        """Choose objects of the open image, also those that the table does not show, and go to the last of them."""
        if self.image is not None:
            self.choose_objects([(self.image, label) for label in labels])

    def choose_objects(self, objects: Sequence[Object]) -> None:
        """Choose objects of any image, and go to the last of them."""
        if self.choice.take(objects):
            self.show_choice()
            self._go_to_chosen()

    def _rows_chosen(self) -> None:
        """Take up what was chosen in the table."""
        if self.choice.take(self.model.objects_at(self.model.order[self.view.chosen])):
            self._go_to_chosen()

    def _go_to_chosen(self) -> None:
        """Go to the cell that was chosen last; what is drawn from now on is added to it."""
        if self.choice.last is None or self.review is None:
            self._mark()
            return
        image, label = self.choice.last
        if image != self.image or (self._mask is not None and self.mask is None):
            self.open_image(image)
            self.choice.take([(image, label)])  # the table may have been read anew
        if image != self.image or self.mask is None:
            return
        self.mask.put_brush_away()
        self.mask.layer.selected_label = label
        for row in self.review.rows([label]):
            y, x, area = self.review.table.loc[row, ["centroid_y_px", "centroid_x_px", "area_px"]]
            go_to(self.viewer, float(y), float(x), float(area))
        self._mark()

    def _clicked(self, viewer: napari.Viewer, event: Any) -> Iterator[None]:
        """Show the row of a cell that was clicked; with Shift, choose it besides. Drags and drawing are left alone."""
        if self.layer is None or self.layer not in viewer.layers or str(self.layer.mode) != "pan_zoom":
            return
        label = yield from clicked_label(self.layer, event)
        if label:
            others = self.chosen if "Shift" in event.modifiers else []
            self.choose([*others, label])

    def _mark(self) -> None:
        if self.layer is not None and FRAMES in self.viewer.layers:
            frame(self.viewer, self.layer, self.chosen)

    def _table_changed(self) -> None:
        super()._table_changed()
        self._mark()

    def close_review(self) -> None:
        """Listen to clicks no longer, and close as `OpenedReview` does."""
        if self._clicked in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self._clicked)
        super().close_review()
