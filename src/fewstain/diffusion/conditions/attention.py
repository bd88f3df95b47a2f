"""Where a denoiser looks: the attention of each pixel to each token of the condition."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fewstain.diffusion.conditions.network import ConditionalDenoiser


@torch.no_grad()
def attention_maps(denoiser: ConditionalDenoiser, noised: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
    """Mean over cross-attention blocks and heads of softmax(q k^T / sqrt(d)) (Vaswani et al., NeurIPS 2017, eq. 1).

    As in Hertz et al., ICLR 2023, section 3, the maps of every resolution are brought to the image's own.

    Parameters
    ----------
    denoiser
        Only run, not changed.
    noised, timesteps
        (B, C, H, W) images and (B,) timesteps, as `Denoiser.forward` takes them.
    tokens
        (1, L, D) of the condition.

    Returns
    -------
    Tensor
        (B, L, H, W) float32 on the CPU, from 0 to 1; at each pixel the tokens' maps sum to 1.
    """
    height, width = noised.shape[-2:]
    maps: list[Tensor] = []

    def keep(attention: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        probabilities = attention_probabilities(attention, arguments[0], options["encoder_hidden_states"])
        scale = math.isqrt(height * width // probabilities.shape[1])  # pixels to a cell of this block's map
        grid = probabilities.transpose(1, 2).unflatten(2, (height // scale, width // scale))
        maps.append(functional.interpolate(grid.float().cpu(), (height, width), mode="bilinear"))

    hooks = [block.register_forward_pre_hook(keep, with_kwargs=True) for block in cross_attention_blocks(denoiser)]
    try:
        denoiser(noised, timesteps, tokens.expand(len(noised), -1, -1))
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(maps).mean(dim=0)


def cross_attention_blocks(denoiser: ConditionalDenoiser) -> list[nn.Module]:
    """Blocks that attend to the condition; diffusers calls them attn2."""
    return [module for name, module in denoiser.unet.named_modules() if name.endswith(".attn2")]


def attention_probabilities(attention: Any, queries_from: Tensor, keys_from: Tensor) -> Tensor:
    """(B, N, L) attention of N cells to L tokens, mean over the heads of a diffusers Attention block."""
    query, key = (
        attention.head_to_batch_dim(layer(given))
        for layer, given in ((attention.to_q, queries_from), (attention.to_k, keys_from))
    )
    scores: Callable[..., Tensor] = attention.get_attention_scores
    return scores(query, key).unflatten(0, (len(queries_from), -1)).mean(dim=1)
