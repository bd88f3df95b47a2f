"""Objects that reach further than the window they were found in: decoded again in windows of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fewstain.pixels.consensus import Consensus, FoundObjects
from fewstain.pixels.predict import ImageMaps

Window: TypeAlias = tuple[slice, slice]

# In windows of a block: what one decoding, and all of a block, may take where a foreground has no end. A window of 3 is
# 1884 pixels wide for objects of a radius of 10.
LARGEST, MOST = 3, 8


@dataclass(frozen=True)
class Place:
    """An object and where it lies.

    Attributes
    ----------
    window
        Its box in the image.
    inside
        (h, w) bool, its pixels there.
    confidence
        Chance that it is right, [0, 1].
    """

    window: Window
    inside: NDArray[np.bool_]
    confidence: float


@dataclass(frozen=True)
class _Piece:
    """What a block's window shows of an object: its box there, its pixels, and those of them in the core."""

    box: Window
    inside: NDArray[np.bool_]
    in_core: NDArray[np.bool_]


@dataclass(frozen=True)
class _View:
    """A larger window: the objects in it, their boxes there, and how much of each a block's window showed, pixels."""

    window: Window
    found: FoundObjects
    boxes: list[Window]
    areas: NDArray[np.int64]

    @classmethod
    def of(cls, found: FoundObjects, window: Window, seen: Window) -> _View:
        _, here = common(seen, window)
        areas = np.bincount(found.labels[here].ravel(), minlength=len(found.confidence) + 1)
        return cls(window, found, ndimage.find_objects(found.labels), areas)

    def place(self, label: int) -> Place:
        box = self.boxes[label - 1]
        inside = self.found.labels[box] == label
        return Place(moved(box, self.window), inside, float(self.found.confidence[label - 1]))


def seen_whole(
    found: FoundObjects,
    taken: NDArray[np.int32],
    window: Window,
    core: Window,
    maps: ImageMaps,
    decoder: Consensus,
    margin: int,
) -> tuple[list[Place], set[int]]:
    """Decode again, in larger windows, those objects that reach into a block's core and that its window cuts.

    Places that overlap are decoded together, and what another cuts once more is decoded in a still larger window.

    Parameters
    ----------
    found
        In the block's window.
    taken
        (h, w) there, 0 = no owner yet.
    window, core
        Of the block, in the image.
    maps
        Of the whole image.
    decoder
        As for `found`.
    margin
        Context around an object, pixels.

    Returns
    -------
    tuple
        The objects that are there instead, whole, and the labels in `found` of those too large for any window.
    """
    pieces = _cut_pieces(found.labels, window, core, maps.shape)
    largest = LARGEST * _area(window)
    budget, step = MOST * _area(window), 2 * margin
    wanted = {label: _grown(piece.box, window, maps.shape, margin, step) for label, piece in pieces.items()}
    places: list[Place] = []
    too_large: set[int] = set()
    covered = taken > 0
    while wanted:
        step *= 2
        groups = _together(
            {label: each for label, each in wanted.items() if _is_free(pieces[label], covered, window)}, largest
        )
        wanted = {}
        for larger, members in groups:
            budget -= _area(larger)
            if _area(larger) > largest or budget < 0:
                too_large.update(members)
                continue
            again = _View.of(decoder.decode(maps.window(*larger).decodable()), larger, window)
            for label in members:
                own = _objects_of(pieces[label], again)
                if any(is_cut(each.window, larger, maps.shape) for each in own):
                    around = _around([each.window for each in own])
                    wanted[label] = _grown(around, larger, maps.shape, margin, step)
                    continue
                for each in own:
                    there, here = common(window, each.window)
                    covered[there] |= each.inside[here]
                places += own
    return places, too_large


def is_cut(box: Window, window: Window, shape: tuple[int, int]) -> bool:
    """Whether an object touches an edge of the window it was found in that is not the image's; all in the image."""
    return any(
        each.start <= seen.start > 0 or each.stop >= seen.stop < length
        for each, seen, length in zip(box, window, shape, strict=True)
    )


def moved(box: Window, window: Window) -> Window:
    """Box in a window -> box in the image."""
    rows, columns = (slice(each.start + by.start, each.stop + by.start) for each, by in zip(box, window, strict=True))
    return rows, columns


def common(first: Window, second: Window) -> tuple[Window, Window]:
    """Cut out what two boxes of the image share: in the first, and in the second; empty where they share nothing."""
    starts = [max(one.start, other.start) for one, other in zip(first, second, strict=True)]
    stops = [max(start, min(one.stop, other.stop)) for start, one, other in zip(starts, first, second, strict=True)]
    in_first, in_second = (
        [slice(start - each.start, stop - each.start) for start, stop, each in zip(starts, stops, box, strict=True)]
        for box in (first, second)
    )
    return (in_first[0], in_first[1]), (in_second[0], in_second[1])


def _cut_pieces(labels: NDArray[np.int32], window: Window, core: Window, shape: tuple[int, int]) -> dict[int, _Piece]:
    """Objects that reach into the core and touch an edge of the window that is not the image's, by label."""
    in_core, _ = common(window, core)
    reaching = np.zeros(int(labels.max(initial=0)) + 1, bool)
    reaching[labels[in_core]] = True
    reaching[0] = False
    touching = np.zeros_like(reaching)
    for axis, (side, length) in enumerate(zip(window, shape, strict=True)):
        if side.start > 0:
            touching[labels.take(0, axis)] = True
        if side.stop < length:
            touching[labels.take(-1, axis)] = True
    found = np.flatnonzero(reaching & touching)
    boxes = ndimage.find_objects(labels) if len(found) else []
    pieces = {}
    for label in found:
        inside = labels[boxes[label - 1]] == label
        box = moved(boxes[label - 1], window)
        _, here = common(core, box)
        part = np.zeros_like(inside)
        part[here] = inside[here]
        pieces[int(label)] = _Piece(box, inside, part)
    return pieces


def _is_free(piece: _Piece, covered: NDArray[np.bool_], window: Window) -> bool:
    """Whether at least half of a piece is covered by nothing yet."""
    there, _ = common(window, piece.box)
    return bool(2 * np.count_nonzero(covered[there] & piece.inside) <= np.count_nonzero(piece.inside))


def _objects_of(piece: _Piece, view: _View) -> list[Place]:
    """List the objects of a larger window that a piece in the core belongs to: most of either is in the other."""
    in_piece, here = common(piece.box, view.window)
    inside, labels = piece.inside[in_piece], view.found.labels[here]
    in_core = np.bincount(labels[piece.in_core[in_piece]], minlength=len(view.areas))
    shared = np.bincount(labels[inside], minlength=len(view.areas))
    mine = (in_core > 0) & ((2 * shared > view.areas) | (2 * shared > np.count_nonzero(piece.inside)))
    return [view.place(int(label)) for label in np.flatnonzero(mine) if label]


def _grown(box: Window, window: Window, shape: tuple[int, int], margin: int, step: int) -> Window:
    """Widen a box by the margin, and by the step where the window cuts what lies in it; within the image."""
    sides = []
    for each, seen, length in zip(box, window, shape, strict=True):
        before, after = (step if each.start <= seen.start else margin), (step if each.stop >= seen.stop else margin)
        sides.append(slice(max(0, each.start - before), min(length, each.stop + after)))
    return sides[0], sides[1]


def _together(wanted: Mapping[int, Window], largest: int) -> list[tuple[Window, list[int]]]:
    """Join windows where decoding them at once is less work, up to a largest area: windows, and whose each is."""
    groups: list[tuple[Window, list[int]]] = []
    for label, window in wanted.items():
        members = [label]
        while True:
            other = next((each for each in groups if _is_less_together(each[0], window, largest)), None)
            if other is None:
                break
            groups.remove(other)
            window, members = _around([window, other[0]]), [*other[1], *members]
        groups.append((window, members))
    return groups


def _is_less_together(first: Window, second: Window, largest: int) -> bool:
    return _area(_around([first, second])) <= min(largest, _area(first) + _area(second))


def _around(boxes: Sequence[Window]) -> Window:
    """Box around boxes."""
    rows, columns = (
        slice(min(box[axis].start for box in boxes), max(box[axis].stop for box in boxes)) for axis in (0, 1)
    )
    return rows, columns


def _area(box: Window) -> int:
    return (box[0].stop - box[0].start) * (box[1].stop - box[1].start)
