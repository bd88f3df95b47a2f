"""Maps of an image, however large, to its instances: blocks, each of which owns the objects whose centre it holds.

An object too long for its block's window is decoded again in a window of its own (`fewstain.pixels.reach`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fewstain.pixels.consensus import Consensus, FoundObjects, largest_piece
from fewstain.pixels.planes import Planes
from fewstain.pixels.predict import ImageMaps
from fewstain.pixels.reach import Window, common, is_cut, moved, seen_whole

BLOCK = 1024
LEAST_MARGIN = 32


@dataclass(frozen=True)
class Block:
    """A core of the image, and the window around it in which it is decoded."""

    core: Window
    window: Window
    last_in_row: bool

    def owns(self, y: float, x: float) -> bool:
        """Whether the core holds this point of the image (stardist's `Block.is_responsible`)."""
        rows, columns = self.core
        return rows.start <= y < rows.stop and columns.start <= x < columns.stop

    def comes_after(self, y: float, x: float) -> bool:
        """Whether the point lies in the core of an earlier block."""
        rows, columns = self.core
        return y < rows.start or (y < rows.stop and x < columns.start)


@dataclass(frozen=True)
class BlockObjects:
    """The objects that one block owns, or one object that reaches out of it.

    Attributes
    ----------
    rows, columns
        The window in the image, of the block or of the one object.
    labels
        (h, w) int32, numbered as in the whole image; other blocks' objects are not in it.
    maps
        The window's maps, float32, in memory.
    confidence
        Label -> chance that the object is right, [0, 1]; see `FoundObjects`.
    cut
        How many of the objects are too large to be seen whole.
    """

    rows: slice
    columns: slice
    labels: NDArray[np.int32]
    maps: ImageMaps
    confidence: dict[int, float]
    cut: int = 0


def blocks(shape: tuple[int, int], core: int, margin: int) -> Iterator[Block]:
    """Cut an image into cores, row by row; a remainder smaller than the margin is joined to its neighbour."""
    rows, columns = (list(_cores(length, core, margin)) for length in shape)
    for row in rows:
        for number, column in enumerate(columns, start=1):
            window = tuple(
                slice(max(0, each.start - margin), min(length, each.stop + margin))
                for each, length in zip((row, column), shape, strict=True)
            )
            yield Block((row, column), (window[0], window[1]), number == len(columns))


def decode_blocks(maps: ImageMaps, decoder: Consensus, labels: Planes, core: int = BLOCK) -> Iterator[BlockObjects]:
    """Decode an image block by block, into `labels`; numbers run 1..n over the image.

    The margin around a core is three times the radius that one object in twenty exceeds, so that most objects whose
    centre lies in the core are seen whole. One that reaches into the core and that the window cuts is decoded again in
    a window of its own, and belongs to the first block that meets it. Where the foreground is larger than a window,
    neighbours may split it differently: an object then never takes pixels that have an owner, and one that mostly
    repeats others is left out.

    Parameters
    ----------
    maps
        Of the whole image.
    decoder
        Tuned for this stain.
    labels
        (H, W) int32 zeros; filled.
    core
        Side of a block, pixels.

    Yields
    ------
    BlockObjects
        Final: no later block changes them.
    """
    margin = max(LEAST_MARGIN, math.ceil(3 * decoder.max_radius))
    count = 0
    for block in blocks(maps.shape, core, margin):
        window = maps.window(*block.window)
        found = decoder.decode(window.decodable())
        taken = labels.array[block.window]
        long, cut = seen_whole(found, taken, block.window, block.core, maps, decoder, margin)
        for place in long:
            free = _free_part(place.inside, labels.array[place.window], decoder.min_area)
            if free is not None:
                count += 1
                alone = free * np.int32(count)
                np.copyto(labels.array[place.window], alone, where=free)
                yield BlockObjects(*place.window, alone, maps.window(*place.window), {count: place.confidence})
        own, kept = _own_objects(found, taken, block, maps.shape, cut, decoder.min_area, count)
        np.copyto(taken, own, where=own > 0)
        confidence = {count + number: float(found.confidence[label - 1]) for number, label in enumerate(kept, start=1)}
        count += len(kept)
        yield BlockObjects(*block.window, own, window, confidence, len(cut.intersection(kept)))
        if block.last_in_row:
            maps.planes.release()
            labels.release()


def _own_objects(
    found: FoundObjects,
    taken: NDArray[np.int32],
    block: Block,
    shape: tuple[int, int],
    cut: set[int],
    min_area: float,
    count: int,
) -> tuple[NDArray[np.int32], list[int]]:
    """Keep the block's own objects, and those of earlier blocks that these have missed, numbered from count + 1.

    Of objects that the window cuts, only those in `cut` are kept, which no window shows whole: as much of them as lies
    in the core.

    Returns
    -------
    tuple
        Their labels, and what each was called in `found`.
    """
    own = np.zeros_like(found.labels)
    kept: list[int] = []
    for label, box in enumerate(ndimage.find_objects(found.labels), start=1):
        inside, place = found.labels[box] == label, moved(box, block.window)
        if label in cut:
            _, in_core = common(block.core, place)
            part = np.zeros_like(inside)
            part[in_core] = inside[in_core]
            inside = part
        elif is_cut(place, block.window, shape):
            continue
        else:
            y, x = _anchor(inside)
            centre = place[0].start + y, place[1].start + x
            if not (block.owns(*centre) or block.comes_after(*centre)):
                continue
        free = _free_part(inside, taken[box], min_area)
        if free is not None:
            kept.append(label)
            own[box][free] = count + len(kept)
    return own, kept


def _free_part(inside: NDArray[np.bool_], taken: NDArray[np.int32], min_area: float) -> NDArray[np.bool_] | None:
    """(h, w) the largest piece of an object that has no owner yet; None where that is too little of it."""
    free = inside & (taken == 0)
    left, area = np.count_nonzero(free), np.count_nonzero(inside)
    if 2 * left <= area:
        return None
    free = free if left == area else largest_piece(free)
    return free if np.count_nonzero(free) >= min_area else None


def _anchor(inside: NDArray[np.bool_]) -> tuple[int, int]:
    """Pixel of an object that decides whose it is: the middle of its box, or the one closest to that."""
    y, x = (inside.shape[0] - 1) // 2, (inside.shape[1] - 1) // 2
    if inside[y, x]:
        return y, x
    rows, columns = np.nonzero(inside)
    nearest = int(np.argmin((rows - y) ** 2 + (columns - x) ** 2))
    return int(rows[nearest]), int(columns[nearest])


def _cores(length: int, core: int, margin: int) -> Iterator[slice]:
    start = 0
    while length - start > core + margin:
        yield slice(start, start + core)
        start += core
    yield slice(start, length)
