"""Maps of an image, however large, to its instances: blocks, each of which owns the objects whose centre it holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fewstain.pixels.consensus import Consensus
from fewstain.pixels.planes import Planes
from fewstain.pixels.predict import ImageMaps

BLOCK = 1024
LEAST_MARGIN = 32


@dataclass(frozen=True)
class Block:
    """A core of the image, and the window around it in which it is decoded."""

    core: tuple[slice, slice]
    window: tuple[slice, slice]
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
    """The objects that one block owns.

    Attributes
    ----------
    rows, columns
        The block's window in the image.
    labels
        (h, w) int32, numbered as in the whole image; other blocks' objects are not in it.
    maps
        The window's maps, float32, in memory.
    confidence
        Label -> chance that the object is right, [0, 1]; see `FoundObjects`.
    """

    rows: slice
    columns: slice
    labels: NDArray[np.int32]
    maps: ImageMaps
    confidence: dict[int, float]


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

    The margin around a core is three times the largest radius an object may have, so that an object whose centre lies
    in the core is seen whole. Where the foreground is larger than a window, neighbours may split it differently: an
    object then never takes pixels that have an owner, and one that mostly repeats others is left out.

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
        own, kept = _own_objects(found.labels, taken, block, maps.shape, decoder.min_area, count)
        np.copyto(taken, own, where=own > 0)
        confidence = {count + number: float(found.confidence[label - 1]) for number, label in enumerate(kept, start=1)}
        count += len(kept)
        yield BlockObjects(*block.window, own, window, confidence)
        if block.last_in_row:
            maps.planes.release()
            labels.release()


def _own_objects(
    found: NDArray[np.int32],
    taken: NDArray[np.int32],
    block: Block,
    shape: tuple[int, int],
    min_area: float,
    count: int,
) -> tuple[NDArray[np.int32], list[int]]:
    """Keep the block's own objects, and those of earlier blocks that these have missed, numbered from count + 1.

    Returns
    -------
    tuple
        Their labels, and what each was called in `found`.
    """
    own = np.zeros_like(found)
    kept: list[int] = []
    top, left = block.window[0].start, block.window[1].start
    for label, box in enumerate(ndimage.find_objects(found), start=1):
        if box is None:
            continue
        centre = (top + (box[0].start + box[0].stop - 1) / 2, left + (box[1].start + box[1].stop - 1) / 2)
        missed = block.comes_after(*centre) and not _is_cut(box, block, shape)
        if not (block.owns(*centre) or missed):
            continue
        inside = found[box] == label
        free = inside & (taken[box] == 0)
        if 2 * np.count_nonzero(free) > np.count_nonzero(inside) and np.count_nonzero(free) >= min_area:
            kept.append(label)
            own[box][free] = count + len(kept)
    return own, kept


def _is_cut(box: tuple[slice, slice], block: Block, shape: tuple[int, int]) -> bool:
    """Whether the object touches an edge of the window that is not the image's."""
    return any(
        (each.start == 0 and window.start > 0) or (each.stop == window.stop - window.start and window.stop < length)
        for each, window, length in zip(box, block.window, shape, strict=True)
    )


def _cores(length: int, core: int, margin: int) -> Iterator[slice]:
    start = 0
    while length - start > core + margin:
        yield slice(start, start + core)
        start += core
    yield slice(start, length)
