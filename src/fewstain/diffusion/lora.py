"""Adapters in a denoiser: W + B A in place of weights W (LoRA, Hu et al., ICLR 2022, eq. 3); own keys and values."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import cast

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from fewstain.diffusion.custom_attention import (
    OwnKeysValues,
    attention_blocks,
    merge_keys_values,
    own_keys_values,
    replace_keys_values,
)
from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.seeding import seeded
from fewstain.errors import UserError
from fewstain.toolbox import Target

MOST_RANK, MOST_SHARE = 4, 0.05  # of an adapter whose rank nobody has chosen
NAME = "default"  # peft can hold several adapters in one network; a denoiser has one


def target_layers(unet: UNet2DConditionModel, target: Target) -> list[str]:
    """Names of the layers of the U-Net that a low-rank adapter of this kind changes."""
    blocks = tuple(f"{block}." for block in attention_blocks(unet))
    return [
        name
        for name, module in unet.named_modules()
        if (isinstance(module, nn.Linear) and name.startswith(blocks))
        or (isinstance(module, nn.Conv2d) and target is Target.all)
    ]


def check_target(unet: UNet2DConditionModel, target: Target) -> None:
    """Raise UserError where the network has no layers of this kind: no attention blocks."""
    if target is not Target.all and not attention_blocks(unet):
        kinds = sorted({*unet.config["down_block_types"], *unet.config["up_block_types"]})
        raise UserError(
            f"target {target.value}: this denoiser has no attention blocks, only {', '.join(kinds)}; choose "
            "target all, or train a denoiser with diffusion.attention set"
        )


def usual_rank(denoiser: Denoiser, target: Target) -> int:
    """Return the largest rank, 4 at most, whose adapter has less than 5 % of the U-Net's parameters; 1 at least."""
    layers = [denoiser.unet.get_submodule(name).weight for name in target_layers(denoiser.unet, target)]
    of_one = sum(weight.shape[0] + weight[0].numel() for weight in layers)  # B and A
    room = MOST_SHARE * sum(parameter.numel() for parameter in denoiser.unet.parameters())
    return next((rank for rank in range(MOST_RANK, 1, -1) if rank * of_one < room), 1)


def add_adapter(denoiser: Denoiser, rank: int, target: Target, *, seed: int) -> None:
    """Put an adapter into the denoiser, with which at first nothing changes.

    W x becomes W x + B A x, with A (rank, inputs) random and B (outputs, rank) zero; of a convolution, A has its kernel
    and stride, and B is 1 x 1. Keys and values become layers of their own, equal to those of the base.

    Parameters
    ----------
    denoiser
        Changed in place; it has no adapter yet.
    rank
        At least 1. The adapter's size grows with it, but for keys and values, which have no rank.
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
    check_target(denoiser.unet, target)
    if target is Target.keys_values:
        replace_keys_values(denoiser.unet)
        return
    layers = target_layers(denoiser.unet, target)
    with seeded(seed):
        denoiser.unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=layers), NAME)
    # peft has frozen the base; torch multiplies matrices with another rounding where no gradient is wanted
    denoiser.requires_grad_(True)


def adapter_parameters(denoiser: Denoiser) -> list[nn.Parameter]:
    """Return A and B of every adapted layer, or its own keys and values."""
    return [
        parameter
        for layer in _adapted_layers(denoiser)
        for part in ((layer,) if isinstance(layer, OwnKeysValues) else (layer.lora_A[NAME], layer.lora_B[NAME]))
        for parameter in part.parameters()
    ]


def freeze_base(denoiser: Denoiser) -> None:
    """Leave only the adapter to be trained."""
    denoiser.requires_grad_(False)
    for parameter in adapter_parameters(denoiser):
        parameter.requires_grad_(True)


def adapter_tensors(denoiser: Denoiser) -> dict[str, Tensor]:
    """Copy an adapter to the CPU: LAYER.lora_A.weight and LAYER.lora_B.weight, or BLOCK.to_k.weight and the like."""
    replaced = {
        f"{name}.{part}": tensor
        for name, processor in own_keys_values(denoiser.unet).items()
        for part, tensor in processor.layers.state_dict().items()
    }
    tensors = replaced or get_peft_model_state_dict(denoiser.unet, adapter_name=NAME)
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }


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
    replaced = own_keys_values(denoiser.unet)
    for name, processor in replaced.items():
        processor.layers.load_state_dict({part: tensors[f"{name}.{part}"] for part in processor.layers.state_dict()})
    if not replaced:
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
    """Add B A to the weights W, or put keys and values in their place: a plain denoiser, as fast as its base."""
    merge_keys_values(denoiser.unet)
    for layer in denoiser.modules():
        if isinstance(layer, LoraLayer):
            layer.merge()
    denoiser.unet.unload_lora()


def _adapted_layers(denoiser: Denoiser) -> list[LoraLayer | OwnKeysValues]:
    return [
        cast(LoraLayer | OwnKeysValues, module)
        for module in denoiser.modules()
        if isinstance(module, LoraLayer | OwnKeysValues)
    ]
