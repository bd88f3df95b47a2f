"""What can segment an image."""

from __future__ import annotations

from enum import StrEnum


class Method(StrEnum):
    """The pixel ensemble, the segmenter, or both, the weighted mean of whose maps is decoded."""

    ensemble = "ensemble"
    segmenter = "segmenter"
    both = "both"
