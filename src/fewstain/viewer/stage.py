"""What the widgets share of napari's window: its layers, its keys, and telling the user."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fewstain.errors import UserError
from fewstain.viewer.layers import LayerData, told

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer


def show(viewer: napari.Viewer, layers: Sequence[LayerData]) -> list[Layer]:
    """Put layers into the viewer instead of those that fewstain showed before; layers of other origin stay."""
    clear(viewer)
    return [added for each in layers for added in _as_list(viewer._add_layer_from_data(*each))]


def clear(viewer: napari.Viewer) -> None:
    """Remove the layers that fewstain shows.

    Widgets whose layers are drawn in listen to `viewer.layers.events.removing`, and keep what was drawn just before.
    """
    viewer.layers.selection.clear()  # else Qt looks for the removed one's neighbours while it is being removed
    for layer in [layer for layer in viewer.layers if told(layer.metadata)]:
        viewer.layers.remove(layer)


def shown_folder(viewer: napari.Viewer) -> Path | None:
    """Find the dataset or results folder that a shown layer is of."""
    for layer in viewer.layers:
        file = told(layer.metadata).get("file")
        for folder in Path(file).parents if file else ():
            if (folder / "dataset.json").is_file() or (folder / "images").is_dir():
                return folder
    return None


def bind_keys(target: napari.Viewer | Layer, actions: Mapping[str, Callable[[], None]]) -> Callable[[], None]:
    """Let keys do something while the canvas has the focus, whatever they did before.

    Widgets share some keys: each takes them whenever it shows its layers.

    Parameters
    ----------
    target
        The viewer; or a layer, whose keys go before those of its kind, while it is the active one.
    actions
        Key -> what it does.

    Returns
    -------
    function that gives the keys back which nobody else took since
    """
    bound = {key: _ignoring_target(action) for key, action in actions.items()}
    for key, function in bound.items():
        target.bind_key(key, function, overwrite=True)

    def release() -> None:
        for key, function in bound.items():
            current = target.bind_key(key, None)
            if current not in (None, function):
                target.bind_key(key, current)

    return release


def _ignoring_target(action: Callable[[], None]) -> Callable[[object], None]:
    return lambda _: action()


@contextmanager
def faults_told() -> Iterator[None]:
    """Within the block, a fault of the user's input becomes a notification instead of an error."""
    try:
        yield
    except UserError as error:
        from napari.utils.notifications import show_warning

        show_warning(str(error))


def _as_list(added: Layer | list[Layer]) -> list[Layer]:
    return added if isinstance(added, list) else [added]
