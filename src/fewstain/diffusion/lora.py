"""Low-rank adapters in a denoiser's layers: W + B A in place of W (LoRA: Hu et al., ICLR 2022, eq. 3)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import cast

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from peft import LoraConfig, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from fewstain.diffusion.network import Denoiser
from fewstain.errors import UserError

NAME = "default"  # peft can hold several adapters in one network; a denoiser has one


class Target(StrEnum):
    """Which layers an adapter changes.

    Attributes
    ----------
    all
        Every convolution, and the linear layers of attention blocks; not those of the time embedding, which tell the
        noise level, whatever the stain, and would take a tenth of the adapter's parameters.
    attention
        The linear layers of attention blocks only.
    """

    all = "all"
    attention = "attention"


def target_layers(unet: UNet2DConditionModel, target: Target) -> list[str]:
    """Names of the layers of the U-Net that an adapter of this kind changes.

    Raises
    ------
    UserError
        If there are none: `attention` where the network has no attention blocks.
    """
    blocks = [name for name, module in unet.named_modules() if isinstance(module, Attention)]
    names = [
        name
        for name, module in unet.named_modules()
        if (isinstance(module, nn.Linear) and name.startswith(tuple(f"{block}." for block in blocks)))
        or (isinstance(module, nn.Conv2d) and target is Target.all)
    ]
    if not names:
        kinds = sorted({*unet.config["down_block_types"], *unet.config["up_block_types"]})
        raise UserError(
            f"target {target.value}: this denoiser has no attention blocks, only {', '.join(kinds)}; choose target all"
        )
    return names


def add_adapter(denoiser: Denoiser, rank: int, target: Target, *, seed: int) -> None:
    """Put an adapter into the denoiser.

    W x becomes W x + B A x, with A (rank, inputs) random and B (outputs, rank) zero, so that at first nothing changes;
    of a convolution, A has its kernel and stride, and B is 1 x 1.

    Parameters
    ----------
    denoiser
        Changed in place; it has no adapter yet.
    rank
        At least 1. The adapter's size grows with it.
    target
        Layers to adapt.
    seed
        Of A; not negative.

    Raises
    ------
    UserError
        A rank below 1; no layers of this kind.
    """
    if rank < 1:
        raise UserError(f"rank {rank}; an adapter has rank 1 or more")
    layers = target_layers(denoiser.unet, target)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        denoiser.unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=layers), NAME)
    # peft has frozen the base; torch multiplies matrices with another rounding where no gradient is wanted
    denoiser.requires_grad_(True)


def adapter_parameters(denoiser: Denoiser) -> list[nn.Parameter]:
    """Return A and B of every adapted layer."""
    return [
        parameter
        for layer in _adapted_layers(denoiser)
        for factor in (layer.lora_A[NAME], layer.lora_B[NAME])
        for parameter in factor.parameters()
    ]


def freeze_base(denoiser: Denoiser) -> None:
    """Leave only the adapter to be trained."""
    denoiser.requires_grad_(False)
    for parameter in adapter_parameters(denoiser):
        parameter.requires_grad_(True)


def adapter_tensors(denoiser: Denoiser) -> dict[str, Tensor]:
    """Copy A and B of every adapted layer to the CPU, as LAYER.lora_A.weight and LAYER.lora_B.weight."""
    tensors = get_peft_model_state_dict(denoiser.unet, adapter_name=NAME)
    return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}


def set_adapter_tensors(denoiser: Denoiser, tensors: Mapping[str, Tensor]) -> None:
    """Take over what `adapter_tensors` gave.

    Raises
    ------
    ValueError
        If they are of other layers, or of another rank.
    """
    wanted = {name: tensor.shape for name, tensor in adapter_tensors(denoiser).items()}
    found = {name: tensor.shape for name, tensor in tensors.items()}
    if wanted != found:
        different = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        raise ValueError(f"{len(different)} tensors of other names or shapes, as {different[0]}")
    set_peft_model_state_dict(denoiser.unet, dict(tensors), adapter_name=NAME)


@contextlib.contextmanager
def adapter_off(denoiser: Denoiser) -> Iterator[None]:
    """Within the block, the denoiser answers as its base does, bit for bit."""
    layers = _adapted_layers(denoiser)
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


def merge_adapter(denoiser: Denoiser) -> None:
    """Add B A to the weights W, and take the adapter out: a plain denoiser, as fast as its base."""
    for layer in _adapted_layers(denoiser):
        layer.merge()
    denoiser.unet.unload_lora()


def _adapted_layers(denoiser: Denoiser) -> list[LoraLayer]:
    return [cast(LoraLayer, module) for module in denoiser.modules() if isinstance(module, LoraLayer)]
