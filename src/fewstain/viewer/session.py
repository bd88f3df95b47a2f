"""Labeling as a walk through windows: which there are, what was drawn, and drafts that survive a crash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import relabel_sequential

from fewstain.dataset import open_dataset
from fewstain.errors import UserError
from fewstain.images.read import read_header, read_labels, stem
from fewstain.images.write import write_labels
from fewstain.storage import read_json, write_errors_named, write_json
from fewstain.suggest import Suggestion, labeled_windows, suggest_windows
from fewstain.viewer.study import Study, channels_of

WINDOWS_FILE = ".windows.json"
DRAFTS = ".drafts"


class Origin(StrEnum):
    """Where the labels that a window opens with come from."""

    DRAFT = "draft"
    SAVED = "saved"
    GUESS = "guess"
    EMPTY = "empty"


@dataclass(frozen=True)
class Opened:
    """A window ready to be drawn in.

    Attributes
    ----------
    labels
        (H, W) int32.
    origin
        Where they come from.
    guess
        (H, W) int32 objects of the last run's mask, numbered from 1; None when the image was not segmented.
    """

    labels: NDArray[np.int32]
    origin: Origin
    guess: NDArray[np.int32] | None


@dataclass(frozen=True)
class Session:
    """The windows of a dataset that somebody is labeling, kept in labels/.windows.json.

    Saved labels lie in labels/<window>.tif as everywhere; strokes not saved yet in labels/.drafts/. Both names start
    with a dot or lie below one, so that nothing else takes them for labels.
    """

    study: Study
    windows: tuple[Suggestion, ...]

    def file(self, window: Suggestion) -> Path:
        """Label file of a window."""
        return self.study.data / "labels" / f"{window.name}.tif"

    def draft(self, window: Suggestion) -> Path:
        """File of what was drawn there and not saved yet."""
        return self.study.data / "labels" / DRAFTS / f"{window.name}.tif"

    def is_unsaved(self, window: Suggestion) -> bool:
        """Whether something was drawn there that is not in its label file."""
        return self.draft(window).is_file()

    def is_done(self, window: Suggestion) -> bool:
        """Whether the window's labels were saved, as they are now."""
        return self.file(window).is_file() and not self.is_unsaved(window)

    @property
    def done(self) -> int:
        """How many windows are done."""
        return sum(self.is_done(window) for window in self.windows)

    def next_open(self, after: int = -1) -> int | None:
        """Index of the first window that is not done, looking on from `after` and then from the start."""
        order = [*range(after + 1, len(self.windows)), *range(after + 1)]
        return next((index for index in order if not self.is_done(self.windows[index])), None)

    def open(self, window: Suggestion) -> Opened:
        """Take up a window: its draft, else what was saved, else the last run's mask, else nothing.

        Raises
        ------
        UserError
            A label file that cannot be read, or of another size than the window.
        """
        height, width = self.shape(window)
        guess = self._guess(window, (height, width))
        for origin, path in ((Origin.DRAFT, self.draft(window)), (Origin.SAVED, self.file(window))):
            if path.is_file():
                labels = read_labels(path)
                if labels.shape != (height, width):
                    raise UserError(f"{path}: not of the window's size, {height} × {width}; move it away")
                return Opened(labels, origin, guess)
        if guess is not None and guess.any():
            return Opened(guess.copy(), Origin.GUESS, guess)
        return Opened(np.zeros((height, width), np.int32), Origin.EMPTY, guess)

    def keep_draft(self, window: Suggestion, labels: NDArray[np.integer]) -> None:
        """Write what was drawn so far, so that a crash loses nothing; what is as it was saved needs no draft."""
        with suppress(UserError):  # a label file that cannot be read must not cost the draft
            if self.file(window).is_file() and np.array_equal(read_labels(self.file(window)), labels):
                self.draft(window).unlink(missing_ok=True)
                return
        write_labels(self.draft(window), labels)

    def save(self, window: Suggestion, labels: NDArray[np.integer]) -> Path:
        """Write labels in the dataset's layout; the draft has served its turn.

        Objects keep their numbers, which classes.csv may speak of.

        Raises
        ------
        UserError
            The file cannot be written; the draft is then still there.
        """
        path = self.file(window)
        write_labels(path, labels)
        self.draft(window).unlink(missing_ok=True)
        return path

    def discard_draft(self, window: Suggestion) -> Path | None:
        """Go back to what was saved; the draft is moved beside, in place of one that was moved there before.

        Returns
        -------
        Path or None
            Where it is now, labels/.drafts/<window>.old.tif; None when there was none.
        """
        draft = self.draft(window)
        if not draft.is_file():
            return None
        with write_errors_named(draft.parent):
            return draft.replace(draft.with_name(f"{window.name}.old.tif"))

    def shape(self, window: Suggestion) -> tuple[int, int]:
        """Height and width of a window, which its image may cut."""
        header = read_header(window.image)
        return min(window.size, header.height - window.y), min(window.size, header.width - window.x)

    def _guess(self, window: Suggestion, shape: tuple[int, int]) -> NDArray[np.int32] | None:
        path = self.study.mask(stem(window.image))
        if path is None:
            return None
        labels = read_labels(path)[window.y : window.y + shape[0], window.x : window.x + shape[1]]
        if labels.shape != shape:  # a mask of another image of this name
            return None
        return relabel_sequential(labels)[0].astype(np.int32)


def resume(study: Study) -> Session | None:
    """Take up the session of a dataset; None when there is none.

    Windows whose image is gone are left out.
    """
    path = study.data / "labels" / WINDOWS_FILE
    if not path.is_file():
        return None
    try:
        windows = [_window(item, study) for item in read_json(path)["windows"]]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a list of windows ({error}); remove it, and suggest windows again") from error
    return Session(study, tuple(window for window in windows if window is not None))


def suggest_new(
    study: Study,
    n: int = 24,
    size: int = 128,
    seed: int = 0,
    channels: Sequence[int] | None = None,
    suggest: Callable[..., Sequence[Suggestion]] = suggest_windows,
) -> list[Suggestion]:
    """Choose windows to label, none of which was labeled or begun before; nothing is written.

    Parameters
    ----------
    study
        What to label.
    n
        How many new ones.
    size
        Side of a window, pixels.
    seed
        Of the choice.
    channels
        Channels to compare them by; those that the project's config.yaml names, if it does, when None.
    suggest
        Chooses them; see `suggest_windows`.
    """
    avoid = [*labeled_windows(open_dataset(study.data)), *_begun(study)]
    seen = {"channels": channels or channels_of(study), "results": study.results}
    return list(suggest(list(study.images.values()), n=n, size=size, seed=seed, avoid=avoid, **seen))


def begin(study: Study, new: Sequence[Suggestion]) -> Session:
    """Write the list of windows: those labeled or begun before, and then the new ones that overlap with none of them.

    Windows of an earlier list that nobody drew in are left out.
    """
    begun = _begun(study)
    session = Session(study, (*begun, *(each for each in new if not any(each.overlaps(other) for other in begun))))
    write(session)
    return session


def _begun(study: Study) -> list[Suggestion]:
    before = resume(study)
    if before is None:
        return []
    return [window for window in before.windows if before.file(window).is_file() or before.is_unsaved(window)]


def write(session: Session) -> None:
    """Keep the list of windows."""
    items = [asdict(window) | {"image": window.image.name} for window in session.windows]
    write_json(session.study.data / "labels" / WINDOWS_FILE, {"windows": items})


def _window(item: dict[str, Any], study: Study) -> Suggestion | None:
    image = study.data / "images" / Path(str(item["image"])).name
    window = Suggestion(str(item["name"]), image, int(item["y"]), int(item["x"]), int(item["size"]))
    if Path(window.name).name != window.name or min(window.y, window.x) < 0 or window.size < 1:
        raise ValueError(f"no such window: {window.name}")
    return window if image.is_file() else None
