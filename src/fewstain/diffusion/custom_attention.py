"""Attention with keys and values of its own: the custom attention of Kumari et al., CVPR 2023 (Custom Diffusion)."""

from __future__ import annotations

import copy
from typing import Any

from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor, nn

LAYERS = ("to_k", "to_v")


class OwnKeysValues(nn.Module):
    """An attention processor whose keys and values are of layers of its own, softmax(q k^T / sqrt(d)) v with k and v.

    These say what an image is made of, and queries only where to look; training them alone was enough for Kumari et
    al. (section 3.1). At first they are copies of the block's, so that nothing changes.

    Parameters
    ----------
    attention
        The block, which is not changed.

    Attributes
    ----------
    replaced
        The processor that the block had.
    """

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({name: copy.deepcopy(getattr(attention, name)) for name in LAYERS})
        self.replaced = attention.processor
        self._on = True

    def forward(self, attention: Attention, hidden_states: Tensor, *arguments: Any, **options: Any) -> Tensor:
        """Attend as diffusers does; see its `Attention`."""
        block = _Disguised(attention, self.layers) if self._on else attention
        attended: Tensor = AttnProcessor2_0()(block, hidden_states, *arguments, **options)
        return attended

    def enable_adapters(self, enabled: bool) -> None:
        """Switch between its own layers and the block's; peft's adapters have a method of this name."""
        self._on = enabled


class _Disguised:
    """A block that answers with other layers where they are there, and is as it was where not."""

    def __init__(self, attention: Attention, layers: nn.ModuleDict) -> None:
        self._attention, self._layers = attention, layers

    def __getattr__(self, name: str) -> Any:
        return self._layers[name] if name in self._layers else getattr(self._attention, name)


def replace_keys_values(unet: UNet2DConditionModel) -> None:
    """Give every attention block of the network keys and values of its own."""
    for attention in attention_blocks(unet).values():
        attention.set_processor(OwnKeysValues(attention))


def merge_keys_values(unet: UNet2DConditionModel) -> None:
    """Make the processors' keys and values the blocks' own, and the processors what they were before."""
    for name, processor in own_keys_values(unet).items():
        attention = unet.get_submodule(name)
        for layer in LAYERS:
            attention.get_submodule(layer).load_state_dict(processor.layers[layer].state_dict())
        attention.set_processor(processor.replaced)


def attention_blocks(unet: UNet2DConditionModel) -> dict[str, Attention]:
    """All attention blocks of the network, by name."""
    return {name: module for name, module in unet.named_modules() if isinstance(module, Attention)}


def own_keys_values(unet: UNet2DConditionModel) -> dict[str, OwnKeysValues]:
    """Processors with keys and values of their own, by the name of their block."""
    found = {name: block.processor for name, block in attention_blocks(unet).items()}
    return {name: processor for name, processor in found.items() if isinstance(processor, OwnKeysValues)}
