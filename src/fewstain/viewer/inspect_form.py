"""The controls of "Look at objects": where they lie, and what they show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from qtpy.QtWidgets import QCheckBox, QComboBox, QGridLayout, QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from fewstain.pixels.decisions import Decision
from fewstain.viewer.button import button
from fewstain.viewer.choice import Choice
from fewstain.viewer.folder_field import FolderField
from fewstain.viewer.objects_model import ObjectsModel
from fewstain.viewer.objects_view import ObjectsView
from fewstain.viewer.review import Review

_SHOWN = {
    "All objects": None,
    "Left to look at": Decision.OPEN,
    "Accepted": Decision.ACCEPTED,
    "Changed": Decision.CHANGED,
    "Rejected": Decision.REJECTED,
}


class InspectForm(QWidget):
    """What `InspectWidget` looks like; it says what its controls do."""

    def build(
        self,
        actions: Mapping[str, tuple[str, Callable[[], None]]],
        *,
        open_folder: Callable[[Path], None],
        use_as_labels: Callable[[], None],
        discard: Callable[[], None],
    ) -> None:
        """Make the controls.

        Parameters
        ----------
        actions
            Key -> title and action; each gets a button, and its key works in the table too.
        open_folder, use_as_labels, discard
            What is done with a folder that was chosen, and by the other buttons.
        """
        self.folder = FolderField("Results or dataset folder", open_folder)
        self.progress, self.status = QProgressBar(), QLabel()
        self.status.setWordWrap(True)
        self.images = QComboBox()
        self.shown = QComboBox()
        self.shown.addItems(list(_SHOWN))
        self.this_image = QCheckBox("this image only")
        self.model = ObjectsModel()
        self.view = ObjectsView({key: action for key, (_, action) in actions.items()})
        self.view.setModel(self.model)
        self.choice = Choice()
        self.model.modelReset.connect(self.show_choice)
        buttons = QGridLayout()
        for number, (key, (name, action)) in enumerate(actions.items()):
            buttons.addWidget(button(f"{name} ({key})", action), number // 4, number % 4)
        self.learn_button = button("Use image as labels", use_as_labels)
        self.discard_button = button("Forget corrections", discard)
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

    def filter(self, review: Review, image: str | None) -> None:
        """Show the objects that the user wants to see in the table."""
        only = image if self.this_image.isChecked() else None
        self.model.set_filter(_SHOWN[self.shown.currentText()], only, review.table)

    def show_choice(self) -> None:
        """Mark the rows of the chosen objects, wherever they are now."""
        self.view.selectionModel().blockSignals(True)
        self.view.choose(self.model.rows_of(self.choice.objects))
        self.view.selectionModel().blockSignals(False)
        self.view.viewport().update()

    def show_left(self, review: Review, image: str | None) -> None:
        """Tell how many objects are left to decide on."""
        self.progress.setRange(0, max(1, len(review.table)))
        self.progress.setValue(len(review.table) - review.left)
        left = "" if image is None else f", {review.left_in(image)} of them in this image"
        self.progress.setFormat(f"{review.left} objects left{left}")
        self.learn_button.setEnabled(image is not None and not review.left_in(image))
