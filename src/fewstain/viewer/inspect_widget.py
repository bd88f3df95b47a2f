"""The widget "Look at objects": a table linked with the image both ways, and corrections by single keys."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from fewstain.viewer import corrections
from fewstain.viewer.folder_field import FolderField
from fewstain.viewer.layers import KEY, image_of, pixels_of, told
from fewstain.viewer.objects_model import ObjectsModel
from fewstain.viewer.reader import first_image
from fewstain.viewer.review import Decision, Review
from fewstain.viewer.stage import clear, faults_told, show, shown_folder
from fewstain.viewer.study import locate

if TYPE_CHECKING:
    import napari

_SHOWN = {
    "All objects": None,
    "Left to look at": Decision.OPEN,
    "Accepted": Decision.ACCEPTED,
    "Changed": Decision.CHANGED,
    "Rejected": Decision.REJECTED,
}
_AROUND = 10
"""An object takes about this part of the canvas when it is gone to."""
_SAVED_AT_ONCE = 2048 * 2048
"""Pixels up to which a mask is written after each change; larger ones when the hands rest."""
_REST_MS = 4000
_WIDEST = 110
"""Screen pixels of a column at first."""


class InspectWidget(QWidget):
    """Go through the objects, accept or mend them.

    Parameters
    ----------
    viewer
        Where the images are shown.
    folder
        A results or dataset folder; that of the shown layers, if any, when None.
    """

    def __init__(self, viewer: napari.Viewer, folder: Path | str | None = None) -> None:
        super().__init__()
        self.viewer = viewer
        self.review: Review | None = None
        self.layer: Labels | None = None
        self.image: str | None = None
        self._dirty = False
        self.model = ObjectsModel()
        self._actions: dict[str, tuple[str, Callable[[], None]]] = {
            "A": ("Accept", self.accept),
            "R": ("Reject", self.reject),
            "S": ("Split", self.split),
            "J": ("Join chosen", self.join),
            "D": ("Redraw", self.redraw),
            "N": ("Next left", self.go_on),
            "U": ("Uncertainty", self.toggle_uncertainty),
        }
        self._build()
        self._rest = QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self.keep)
        for key, (_, action) in self._actions.items():
            viewer.bind_key(key, lambda _, action=action: action(), overwrite=True)
        viewer.mouse_drag_callbacks.append(self._clicked)
        chosen = folder or shown_folder(viewer)
        if chosen:
            self.folder.set(chosen)

    def _build(self) -> None:
        self.folder = FolderField("Results or dataset folder", self.open_folder)
        self.progress, self.status = QProgressBar(), QLabel()
        self.status.setWordWrap(True)
        self.images = QComboBox()
        self.images.textActivated.connect(self.open_image)
        self.shown = QComboBox()
        self.shown.addItems(list(_SHOWN))
        self.shown.currentTextChanged.connect(self._filter)
        self.this_image = QCheckBox("this image only")
        self.this_image.toggled.connect(self._filter)
        self.view = _Table(self._actions)
        self.view.setModel(self.model)
        self.view.selectionModel().selectionChanged.connect(self._rows_chosen)
        buttons = QGridLayout()
        for number, (key, (name, action)) in enumerate(self._actions.items()):
            buttons.addWidget(_button(f"{name} ({key})", action), number // 4, number % 4)
        self.learn_button = _button("Use image as labels", self.use_as_labels)
        self.discard_button = _button("Forget corrections", self.discard)
        choice, last = QHBoxLayout(), QHBoxLayout()
        for widget in (self.shown, self.this_image):
            choice.addWidget(widget)
        for widget in (self.discard_button, self.learn_button):
            last.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.addWidget(self.folder)
        layout.addWidget(self.images)
        layout.addWidget(self.progress)
        layout.addLayout(choice)
        layout.addWidget(self.view, stretch=1)
        layout.addLayout(buttons)
        layout.addLayout(last)
        layout.addWidget(self.status)

    # --- folder and image

    def open_folder(self, folder: Path) -> None:
        """Show the objects of a results folder, the most uncertain first."""
        self.keep()
        with faults_told():
            study = locate(folder)
            self.review = Review(study)
            self.images.clear()
            self.images.addItems(list(study.images))
            self.model.set_table(self.review.table)
            if "uncertainty" in self.model.columns:
                self.view.fit_columns()
                self.view.sortByColumn(self.model.columns.index("uncertainty"), Qt.SortOrder.DescendingOrder)
            if name := first_image(study):
                self.open_image(name)

    def open_image(self, name: str) -> None:
        """Show an image with its mask, corrected if it was."""
        if self.review is None:
            return
        self.keep()
        with faults_told():
            layers = show(self.viewer, image_of(self.review.study, name))
            self.layer = _mask_layer(layers)
            self.image = name
            self.images.setCurrentText(name)
            if self.layer is None:
                self.status.setText("This image was not segmented yet.")
                return
            self.review.open(name, pixels_of(layers), self.layer.data)
            self.layer.mode = "pan_zoom"
            self.layer.events.paint.connect(self._painted)
            self.layer.bind_key("Control-Z", self._undo, overwrite=True)
            self.layer.bind_key("Control-Shift-Z", self._redo, overwrite=True)
            self._mark_layer()
            self.viewer.layers.selection.active = self.layer
            self.viewer.reset_view()
            self._table_changed()

    def keep(self) -> None:
        """Write the mask and the decisions, if there are new ones."""
        if self._dirty and self.review is not None and self.layer is not None:
            with faults_told():
                self.review.write(self.layer.data)
                self._dirty = False

    # --- what is chosen

    @property
    def chosen(self) -> list[int]:
        """Labels of the chosen objects in the open image, the one chosen first in front."""
        if self.review is None:
            return []
        rows = [self.model.order[index.row()] for index in self.view.selectionModel().selectedRows()]
        table = self.review.table
        return [int(table.at[row, "label"]) for row in rows if table.at[row, "image"] == self.image]

    def choose(self, labels: list[int]) -> None:
        """Choose objects of the open image in the table."""
        if self.review is None:
            return
        shown = [self.model.row_of(row) for row in self.review.rows(labels)]
        self.view.choose([row for row in shown if row is not None])

    def _rows_chosen(self) -> None:
        """Go to the cell of the row that was chosen."""
        rows = self.view.selectionModel().selectedRows()
        if not rows or self.review is None:
            return
        row = self.review.table.loc[self.model.order[rows[-1].row()]]
        if row["image"] != self.image:
            label = int(row["label"])
            self.open_image(row["image"])
            self.choose([label])
            return
        self._go_to(float(row["centroid_y_px"]), float(row["centroid_x_px"]), float(row["area_px"]))
        self._mark()

    def _go_to(self, y: float, x: float, area: float) -> None:
        self.viewer.camera.center = (0.0, y, x)
        canvas = self.viewer.window._qt_viewer.canvas.native
        zoom = min(canvas.width(), canvas.height()) / (_AROUND * max(area, 1.0) ** 0.5)
        if self.viewer.camera.zoom < zoom / 3 or self.viewer.camera.zoom > zoom * 3:
            self.viewer.camera.zoom = zoom

    def _clicked(self, viewer: napari.Viewer, event: Any) -> Iterator[None]:
        """Show the row of a cell that was clicked; with Shift, choose it besides. Drags and drawing are left alone."""
        if self.layer is None or self.layer not in viewer.layers or str(self.layer.mode) != "pan_zoom":
            return
        dragged = False
        yield
        while event.type == "mouse_move":
            dragged = True
            yield
        label = self.layer.get_value(event.position, world=True)
        if not dragged and label:
            others = self.chosen if "Shift" in event.modifiers else []
            self.choose([*others, int(label)])

    def _mark_layer(self) -> None:
        properties: dict[str, Any] = {
            "name": "chosen",
            "edge_color": "yellow",
            "face_color": "transparent",
            "edge_width": 1,
            "metadata": {KEY: {"kind": "chosen", "image": self.image}},
        }
        self.viewer.add_shapes(ndim=2, **properties)

    def _mark(self) -> None:
        """Draw a frame around each chosen object."""
        if self.layer is None or "chosen" not in self.viewer.layers:
            return
        frames = []
        for label in self.chosen:
            try:
                rows, columns = corrections.box_of(self.layer.data, label)
            except KeyError:  # a rejected one
                continue
            top, bottom, left, right = rows.start - 2, rows.stop + 1, columns.start - 2, columns.stop + 1
            frames.append(np.array([[top, left], [top, right], [bottom, right], [bottom, left]], float))
        if len(frames) == 1:
            self.layer.selected_label = self.chosen[0]  # what is drawn now is added to it
        marks = self.viewer.layers["chosen"]
        marks.data = []
        if frames:
            marks.add(frames, shape_type="polygon", edge_width=1, edge_color="yellow", face_color="transparent")
        self.viewer.layers.selection.active = self.layer

    # --- what can be done to them

    def accept(self) -> None:
        """Accept the chosen objects, and what was redrawn; go to the next one left."""
        if self.review is None or self.layer is None:
            return
        self.layer.mode = "pan_zoom"
        if self.chosen:
            self.review.decide(self.chosen, Decision.ACCEPTED)
            self._changed()
            self._go_on_here()

    def reject(self) -> None:
        """Remove the chosen objects from the corrected mask; go to the next one left."""
        if self.layer is None or not self.chosen:
            return
        chosen = self.chosen
        with contextlib.suppress(KeyError):  # rejected before
            box = corrections.box_around(self.layer.data, chosen)
            crop = self.layer.data[box]
            self._put(box, np.where(np.isin(crop, chosen), 0, crop))
        self._go_on_here()

    def split(self) -> None:
        """Cut the chosen object in two where it is narrowest."""
        if self.layer is None:
            return
        for label in self.chosen:
            try:
                box = corrections.box_of(self.layer.data, label)
                following = corrections.next_label(self.layer.data)
                self._put(box, corrections.split(self.layer.data[box], label, following=following))
            except (KeyError, ValueError) as error:
                self.status.setText(f"Not split: {error}")

    def join(self) -> None:
        """Make one object of those chosen (Shift and click chooses several)."""
        if self.layer is None:
            return
        try:
            box = corrections.box_around(self.layer.data, self.chosen)
            self._put(box, corrections.merge(self.layer.data[box], self.chosen))
        except (KeyError, ValueError):
            self.status.setText("Choose two objects or more to join: click one, Shift and click others.")

    def redraw(self) -> None:
        """Take the chosen object away and hand over the brush; A accepts what was drawn."""
        if self.layer is None or len(self.chosen) != 1:
            return
        label = self.chosen[0]
        with contextlib.suppress(KeyError):  # rejected before
            box = corrections.box_of(self.layer.data, label)
            self._put(box, corrections.reject(self.layer.data[box], label))
        self.layer.selected_label = label
        self.layer.mode = "paint"
        self.status.setText("Draw the object anew (brush 2, polygon 3); A accepts it, Ctrl+Z takes it back.")

    def _go_on_here(self) -> None:
        """Choose the next object left in this image; at its end, leave it to the user to go on to another."""
        if self.review is not None and self.image is not None and not self.review.left_in(self.image):
            self.status.setText("All of this image is decided: N goes on, or use it as labels.")
        else:
            self.go_on()

    def go_on(self) -> None:
        """Choose the next object that nobody has decided on, as the table is sorted: in this image, then in others."""
        if self.review is None:
            return
        table = self.review.table
        open_rows = [row for row in self.model.order if table.at[row, "decision"] == Decision.OPEN]
        here = [row for row in open_rows if table.at[row, "image"] == self.image]
        following = next(iter(here or open_rows), None)
        if following is not None and (shown := self.model.row_of(following)) is not None:
            self.view.choose([shown])
        elif following is None:
            self.status.setText("All objects that are shown have been decided on.")

    def toggle_uncertainty(self) -> None:
        """Show or hide the uncertainty map."""
        for layer in self.viewer.layers:
            if told(layer.metadata).get("kind") == "uncertainty":
                layer.visible = not layer.visible

    def use_as_labels(self) -> None:
        """Let the next run learn from this image's corrected mask."""
        self.keep()
        if self.review is not None and self.image is not None:
            with faults_told():
                path = self.review.use_as_labels(self.image)
                self.status.setText(f"Wrote {path}. The next run learns from it.")

    def discard(self) -> None:
        """Go back to the predicted mask of this image."""
        if self.review is not None and self.image is not None:
            self._dirty = False
            self.review.discard(self.image)
            self.open_image(self.image)

    # --- keeping image and table in step

    def _put(self, box: tuple[slice, slice], labels: np.ndarray) -> None:
        """Change a box of the shown mask in one step that Ctrl+Z takes back."""
        if self.layer is None:
            return
        before = self.layer.data[box]
        rows, columns = np.nonzero(labels != before)
        if not len(rows):
            return
        touched = np.unique(np.concatenate([before[rows, columns], labels[rows, columns]]))
        where = (rows + box[0].start, columns + box[1].start)
        with self.layer.events.paint.blocker(self._painted):  # which would look at the whole mask
            self.layer.data_setitem(where, labels[rows, columns].tolist())
        self._synced([int(label) for label in touched if label])

    def _painted(self) -> None:
        QTimer.singleShot(0, lambda: self._synced())  # napari tells of some strokes just before they are in the data

    def _undo(self, layer: Labels) -> None:
        layer.undo()
        self._synced()

    def _redo(self, layer: Labels) -> None:
        layer.redo()
        self._synced()

    def _synced(self, among: list[int] | None = None) -> None:
        if self.review is None or self.layer is None:
            return
        before = self.review.left, len(self.review.table)
        measured = self.review.sync(self.layer.data, among=among)
        if measured or before != (self.review.left, len(self.review.table)):
            self._changed()

    def _changed(self) -> None:
        self._dirty = True
        if self.layer is not None and self.layer.data.size <= _SAVED_AT_ONCE:
            self.keep()
        else:
            self._rest.start()
        self._table_changed()

    def _table_changed(self) -> None:
        if self.review is None:
            return
        chosen = self.chosen
        self.view.selectionModel().blockSignals(True)
        self._filter()
        self.choose(chosen)
        self.view.selectionModel().blockSignals(False)
        self._mark()
        done = len(self.review.table) - self.review.left
        self.progress.setRange(0, max(1, len(self.review.table)))
        self.progress.setValue(done)
        left = "" if self.image is None else f", {self.review.left_in(self.image)} of them in this image"
        self.progress.setFormat(f"{self.review.left} objects left{left}")
        self.learn_button.setEnabled(self.image is not None and not self.review.left_in(self.image))

    def _filter(self) -> None:
        if self.review is not None:
            self.model.table = self.review.table
            self.model.set_filter(_SHOWN[self.shown.currentText()], self.image if self.this_image.isChecked() else None)

    def closeEvent(self, event: Any) -> None:
        """Keep what was decided."""
        self.close_review()
        super().closeEvent(event)

    def close_review(self) -> None:
        """Keep what was decided, and take the layers away."""
        self.keep()
        self._rest.stop()
        if self._clicked in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self._clicked)
        self.layer = None
        clear(self.viewer)


class _Table(QTableView):
    """Rows are chosen whole, and the widget's keys work here too."""

    def __init__(self, actions: dict[str, tuple[str, Callable[[], None]]]) -> None:
        super().__init__()
        self._actions = actions
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setSortingEnabled(True)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(20)

    def fit_columns(self) -> None:
        """Make columns as wide as what is in view needs, within limits."""
        self.resizeColumnsToContents()
        for column in range(self.model().columnCount()):
            self.setColumnWidth(column, min(self.columnWidth(column), _WIDEST))

    def choose(self, rows: list[int]) -> None:
        """Choose rows, and scroll to the last of them."""
        from qtpy.QtCore import QItemSelectionModel

        flag = QItemSelectionModel.SelectionFlag
        self.selectionModel().clearSelection()
        for row in rows:
            index = self.model().index(row, 0)
            self.selectionModel().setCurrentIndex(index, flag.Select | flag.Rows)
            self.scrollTo(index)

    def keyPressEvent(self, event: Any) -> None:
        """Run the action of a key."""
        action = self._actions.get(event.text().upper())
        if action:
            action[1]()
        else:
            super().keyPressEvent(event)


def _mask_layer(layers: list[Any]) -> Labels | None:
    """Find the corrected mask, or else the predicted one."""
    kinds = {told(layer.metadata).get("kind"): layer for layer in layers}
    return kinds.get("corrected", kinds.get("masks"))


def _button(text: str, action: Callable[[], None]) -> QPushButton:
    button = QPushButton(text)
    button.clicked.connect(lambda: action())
    return button
