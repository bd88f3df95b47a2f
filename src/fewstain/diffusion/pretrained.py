"""Networks in folders in diffusers' layout, as every denoiser, control and VAE keeps its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

from diffusers import ModelMixin

from fewstain.errors import UserError

WEIGHTS = "diffusion_pytorch_model.safetensors"

Model = TypeVar("Model", bound=ModelMixin)


def save_pretrained(network: ModelMixin, folder: Path) -> None:
    """Write a network's config.json and weights, safetensors only."""
    network.save_pretrained(folder, safe_serialization=True)
    # safetensors makes files only their owner can read; the results of a lab are everybody's
    shutil.copymode(folder / "config.json", folder / WEIGHTS)


def load_pretrained(kind: type[Model], folder: Path) -> Model:
    """Read a network that `save_pretrained` wrote.

    Raises
    ------
    KeyError
        Weights that the network lacks, or does not know.
    Exception
        Files that are missing or damaged; diffusers and safetensors each raise their own kinds.
    """
    network, loading = kind.from_pretrained(
        folder, use_safetensors=True, low_cpu_mem_usage=False, local_files_only=True, output_loading_info=True
    )
    for fault in ("missing_keys", "unexpected_keys"):  # diffusers only warns of them
        if loading[fault]:
            raise KeyError(f"{fault}: {', '.join(sorted(loading[fault])[:3])}")
    return cast(Model, network)


@contextmanager
def damage_told(folder: Path, whose: str) -> Iterator[None]:
    """Within the block, make whatever goes wrong a UserError; `whose` weights they are, "the VAE's" or the like."""
    try:
        yield
    except Exception as fault:  # diffusers, safetensors, torch and json each raise their own kinds
        raise UserError(
            f"{folder}: {whose} weights are damaged or not its own ({type(fault).__name__}: {fault}); "
            "delete the folder and train again, or restore it from a backup"
        ) from fault
