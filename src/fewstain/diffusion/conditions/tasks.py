"""What a conditional denoiser is trained on: crops with words, or crops with sets of others from the same image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from fewstain.diffusion.conditions.image_set import PATCH, SetEncoder
from fewstain.diffusion.conditions.network import Encoder
from fewstain.diffusion.conditions.stains import Stains
from fewstain.diffusion.conditions.words import WordEncoder
from fewstain.errors import UserError
from fewstain.settings import ConditionalSettings

Description = tuple[str, ...]


@dataclass(frozen=True)
class Batch:
    """Crops (B, C, S, S), their condition as the encoder takes it, and which (B,) are trained on without it."""

    clean: Tensor
    condition: Tensor
    drop: Tensor


class Task(Protocol):
    """A kind of condition, and how it is drawn."""

    @property
    def words(self) -> Sequence[Description]:
        """Of each stain; empty where words play no part."""

    def encoder(self, image_channels: int) -> Encoder:
        """Make the encoder, untrained, with weights of torch's random state."""

    def batch(self, encoder: Encoder, stains: Stains, random: np.random.Generator) -> Batch:
        """Draw a batch; all chance comes from `random`."""

    def examples(self, encoder: Encoder, stains: Stains, seed: int) -> list[Tensor]:
        """Return a condition of each stain, as the encoder takes it, (1, ...) each."""


@dataclass(frozen=True)
class WordTask:
    """A part of a stain's words, of any size with the same chance; with the chance `settings.drop`, none."""

    words: Sequence[Description]
    settings: ConditionalSettings

    def encoder(self, image_channels: int) -> WordEncoder:
        """Make a table of all the words."""
        return WordEncoder.of(self.words, self.settings.token_width)

    def batch(self, encoder: Encoder, stains: Stains, random: np.random.Generator) -> Batch:
        """Draw crops with (B, slots) rows of the encoder's table."""
        assert isinstance(encoder, WordEncoder)
        stain, clean = stains.crops(self.settings.batch_size, self.settings.crop, random)
        numbers = []
        for k in stain:
            part = random.permutation(len(self.words[k]))[: random.integers(1, len(self.words[k]) + 1)]
            numbers.append(encoder.numbers([self.words[k][place] for place in part]))
        drop = torch.from_numpy(random.random(len(stain)) < self.settings.drop)
        return Batch(clean, torch.tensor(numbers, device=clean.device), drop.to(clean.device))

    def examples(self, encoder: Encoder, stains: Stains, seed: int) -> list[Tensor]:
        """Return each stain's whole description, (1, slots)."""
        assert isinstance(encoder, WordEncoder)
        return [torch.tensor([encoder.numbers(words)]) for words in self.words]


@dataclass(frozen=True)
class SetTask:
    """1 to `settings.set_size` crops of the same image, in windows that share no pixel with the crop or each other."""

    names: Sequence[str]
    settings: ConditionalSettings

    @property
    def words(self) -> Sequence[Description]:
        """None for any stain."""
        return [()] * len(self.names)

    def encoder(self, image_channels: int) -> SetEncoder:
        """Make a vision transformer; UserError where the crops cannot be cut into its patches."""
        crop = self.settings.crop
        if crop % PATCH:
            raise UserError(f"conditions.crop is {crop}; a set's images are cut into patches of {PATCH} pixels")
        return SetEncoder(image_channels, crop, self.settings.token_width)

    def batch(self, encoder: Encoder, stains: Stains, random: np.random.Generator) -> Batch:
        """Draw crops with sets (B, S, C, crop, crop), all of one size S."""
        others = int(random.integers(1, self.settings.set_size + 1))
        clean, sets = stains.sets(self.settings.batch_size, others, self.settings.crop, random)
        drop = torch.from_numpy(random.random(len(clean)) < self.settings.drop)
        return Batch(clean, sets, drop.to(clean.device))

    def examples(self, encoder: Encoder, stains: Stains, seed: int) -> list[Tensor]:
        """Return a set of one image of each stain, (1, S, C, crop, crop)."""
        random = np.random.default_rng(seed)
        return stains.examples(self.settings.set_size, self.settings.crop, random)
