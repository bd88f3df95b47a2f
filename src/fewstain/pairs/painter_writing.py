"""The folders that a trained painter is kept in: its model of layouts, its denoiser and its control."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from diffusers.training_utils import EMAModel

from fewstain.diffusion.control.conditions import Condition
from fewstain.diffusion.control.record import read_like
from fewstain.diffusion.control.training import write_control
from fewstain.diffusion.network import WEIGHTS, Denoiser
from fewstain.diffusion.paired import Trained
from fewstain.diffusion.record import DenoiserRecord, write_denoiser
from fewstain.diffusion.state import Network, Training
from fewstain.pair_settings import LayoutSettings, PainterSettings
from fewstain.pairs.layouts import LayoutFacts
from fewstain.pairs.painter import CONTROL, DIFFUSION, PainterNetwork
from fewstain.settings import ControlSettings, DiffusionSettings
from fewstain.storage import sha256_file

VELOCITY = "v_prediction"


def write_layouts(
    folder: Path, trained: Trained[Denoiser], facts: LayoutFacts, settings: LayoutSettings, seed: int
) -> None:
    """Write the denoiser of layouts as one of images, and the facts beside it."""
    write_denoiser(folder, trained.training, trained.index, settings, seed, session_seconds=0.0)
    facts.write(folder)


def write_images(
    folder: Path,
    out: Path,
    trained: Trained[PainterNetwork],
    base: DenoiserRecord,
    settings: PainterSettings,
    seed: int,
) -> None:
    """Write `folder`/diffusion and `folder`/control, which will have their place in `out`."""
    network = trained.training.network
    trained.training.ema.copy_to(network.parameters())
    index = read_like(base, trained.index)
    painter = settings.model_dump(include=set(ControlSettings.model_fields))
    own = DiffusionSettings.model_validate(base.settings | painter | {"prediction": VELOCITY})
    denoiser = part(trained, network.denoiser)
    write_denoiser(folder / DIFFUSION, denoiser.training, index, own, seed, session_seconds=0.0)
    origin: dict[str, Any] = {
        "base": str(out / DIFFUSION),
        "base_sha256": sha256_file(folder / DIFFUSION / "unet" / WEIGHTS),
        "condition": Condition.layout.value,
    }
    write_control(
        folder / CONTROL,
        network.denoiser,
        base,
        part(trained, network.control),
        ControlSettings.model_validate(painter),
        seed,
        origin,
        session_seconds=0.0,
    )


def part(trained: Trained[PainterNetwork], network: Network) -> Trained[Network]:
    """Tell of a part of a network, whose weights are averaged already, as of a training of its own."""
    ema = EMAModel(network.parameters())
    training: Training[Network] = replace(trained.training, network=network, ema=ema)  # type: ignore[arg-type, assignment]
    return Trained(training, trained.index, trained.pool)
