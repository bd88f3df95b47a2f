"""`fewstain view`, and the plugin as napari finds it."""

import pytest

pytest.importorskip("napari", reason="the extra fewstain[napari] is not installed", exc_type=ImportError)
pytest.importorskip("qtpy.QtWidgets", reason="libraries that Qt needs are missing", exc_type=ImportError)

from npe2 import PluginManifest

from fewstain.viewer import menu
from fewstain.viewer.inspect_widget import InspectWidget
from fewstain.viewer.label_widget import LabelWidget
from fewstain.viewer.reader import get_reader
from fewstain.viewer.run_widget import RunWidget
from fewstain.viewer.window import TITLES, default_widget, open_window


def test_the_manifest_names_what_there_is():
    manifest = PluginManifest.from_distribution("fewstain")
    commands = {command.id: command for command in manifest.contributions.commands}
    assert commands["fewstain.read"].python_name.split(":")[1] == get_reader.__name__
    widgets = {each.display_name: commands[each.command] for each in manifest.contributions.widgets}
    made = {name: command.python_name.split(":")[1] for name, command in widgets.items()}
    assert made == {
        TITLES["label"]: menu.label_windows.__name__,
        TITLES["inspect"]: menu.look_at_objects.__name__,
        TITLES["run"]: menu.run_workflow.__name__,
    }


def test_the_menu_opens_the_widgets_with_the_viewer_itself(project, viewer):
    viewer.open(str(project.results), plugin="fewstain")
    kinds = {"label": LabelWidget, "inspect": InspectWidget, "run": RunWidget}
    for name, kind in kinds.items():
        _, widget = viewer.window.add_plugin_dock_widget("fewstain", TITLES[name])
        assert isinstance(widget, kind)
        assert widget.viewer is viewer


def test_folders_open_with_the_widget_that_is_of_use(project, viewer):
    assert default_widget(project.results) == default_widget(project.data) == "inspect"
    open_window(project.results, "inspect", viewer)
    assert "b masks" in viewer.layers
    (project.results / "measurements.csv").unlink()
    assert default_widget(project.data) == "label"


def test_a_dropped_folder_is_read_by_the_plugin_and_saved_labels_go_beside(project, viewer):
    viewer.open(str(project.results), plugin="fewstain")
    assert [layer.name for layer in viewer.layers] == ["b", "b uncertainty", "b masks"]
    mask = viewer.layers["b masks"]
    mask.data[:] = 0
    written = mask.save(str(project.results / "masks" / "b masks.tif"), plugin="fewstain")  # as napari suggests
    assert written == [str(project.results / "corrected" / "b.tif")]
