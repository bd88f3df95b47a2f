"""The widgets as napari's menu opens them.

Functions, for a class gets napari's viewer in a wrapper from the menu, through which layers do not compare as equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import napari

if TYPE_CHECKING:
    from fewstain.viewer.inspect_widget import InspectWidget
    from fewstain.viewer.label_widget import LabelWidget
    from fewstain.viewer.run_widget import RunWidget


def label_windows() -> LabelWidget:
    """Make "Label windows" for the window in front."""
    from fewstain.viewer.label_widget import LabelWidget

    return LabelWidget(napari.current_viewer())


def look_at_objects() -> InspectWidget:
    """Make "Look at objects" for the window in front."""
    from fewstain.viewer.inspect_widget import InspectWidget

    return InspectWidget(napari.current_viewer())


def run_workflow() -> RunWidget:
    """Make "Run the workflow" for the window in front."""
    from fewstain.viewer.run_widget import RunWidget

    return RunWidget(napari.current_viewer())
