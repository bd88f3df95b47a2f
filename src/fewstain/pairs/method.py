"""What can segment an image."""

from __future__ import annotations

from enum import StrEnum


class Method(StrEnum):
    """The pixel ensemble, the segmenter, or both, which then both propose objects."""

    ensemble = "ensemble"
    segmenter = "segmenter"
    both = "both"
