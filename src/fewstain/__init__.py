"""From a folder of microscope images and 20–50 labeled crops to instance masks, with a diffusion model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fewstain.pairs.opening import load

__all__ = ["__version__", "load"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # torch takes seconds to import, so it waits until somebody loads a model
    if name == "load":
        from fewstain.pairs.opening import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
