"""Split an image into cores that cover it exactly once, each with context around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """A core that is kept and the context it is computed in; rows y0:y1, columns x0:x1 of the image, both.

    Attributes
    ----------
    core, context : (y0, x0, y1, x1)
        The context contains the core and stays inside the image.
    """

    core: tuple[int, int, int, int]
    context: tuple[int, int, int, int]

    @property
    def core_in_context(self) -> tuple[slice, slice]:
        """Index of the core in an array of the context."""
        top, left = self.context[:2]
        y0, x0, y1, x1 = self.core
        return slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)

    @property
    def core_slices(self) -> tuple[slice, slice]:
        """Index of the core in an array of the image."""
        return slice(self.core[0], self.core[2]), slice(self.core[1], self.core[3])

    @property
    def context_slices(self) -> tuple[slice, slice]:
        """Index of the context in an array of the image."""
        return slice(self.context[0], self.context[2]), slice(self.context[1], self.context[3])


def split(shape: tuple[int, int], tile: int, overlap: int, align: int = 1) -> Iterator[Tile]:
    """Split an (H, W) image, row by row from the top left.

    Parameters
    ----------
    shape : (H, W)
    tile : int
        Side of a core; those at the right and bottom edge may be smaller. A multiple of `align`.
    overlap : int
        Context on each side of a core, pixels, cut at the image's edge.
    align : int
        Cores and contexts start at multiples of this, so that a network which halves an image k times sees every
        tile on the same grid as the whole image (align = 2**k).

    Raises
    ------
    ValueError
        A tile that is no multiple of `align`, or no positive number.
    """
    if tile <= 0 or align <= 0 or tile % align or overlap < 0:
        raise ValueError(f"tile {tile} must be a positive multiple of {align}, overlap {overlap} not negative")
    height, width = shape
    margin = -(-overlap // align) * align
    for y0 in range(0, height, tile):
        for x0 in range(0, width, tile):
            y1, x1 = min(y0 + tile, height), min(x0 + tile, width)
            context = (max(0, y0 - margin), max(0, x0 - margin), min(height, y1 + margin), min(width, x1 + margin))
            yield Tile((y0, x0, y1, x1), context)
