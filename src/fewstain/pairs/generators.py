"""Ways to make pairs, all behind one interface: layout first, image first, and labeled images of another stain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fewstain.diffusion.control.painting import file_pixels
from fewstain.diffusion.editing import edit
from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.record import DenoiserRecord
from fewstain.images.read import read_labels
from fewstain.pairs.arrange import Wish, arrange, enlarge, relabeled, source_size, turned
from fewstain.pairs.layouts import LayoutModel
from fewstain.pairs.painter import Painter, sample_images
from fewstain.pairs.recolour import Recoloured
from fewstain.pairs.scores import PairScores
from fewstain.pairs.scoring import Scorer

Labels = NDArray[np.int32]
LAYOUT_STREAM, WISH_STREAM, PAINT_STREAM = 1, 2, 3  # of one seed: what is drawn for one purpose repeats in no other
ATTEMPTS = 4  # at a layout with objects in it
ATTEMPT = 10_000_019  # between the numbers of two attempts; more pairs than that are not made


class Pair(NamedTuple):
    """An image (H, W, C) in the units and dtype of the pool's files, its labels (H, W), and what is known of both.

    `rgb` is whether three channels of 8 bits are colours.
    """

    image: NDArray
    labels: Labels
    scores: PairScores
    rgb: bool | None = None


class PairGenerator(Protocol):
    """Whatever makes pairs."""

    def generate(self, n: int, seed: int) -> Iterator[Pair]:
        """Make n pairs, dropping none; pair i is a function of (seed, i), but for rounding."""
        ...


class BatchedGenerator(ABC):
    """Makes pairs batch by batch. Batches are numbered, so that they may be shared out and made in any order."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size

    def generate(self, n: int, seed: int) -> Iterator[Pair]:
        """See `PairGenerator`."""
        for number in range(count_batches(n, self.batch_size)):
            yield from self.batch(batch_numbers(number, n, self.batch_size), seed)

    @abstractmethod
    def batch(self, numbers: range, seed: int) -> list[Pair]:
        """Make the pairs of some numbers."""


def count_batches(n: int, batch_size: int) -> int:
    """Count the batches of n pairs."""
    return -(-n // batch_size)


def batch_numbers(batch: int, n: int, batch_size: int) -> range:
    """Numbers of the pairs of a batch, counted from 0."""
    return range(batch * batch_size, min((batch + 1) * batch_size, n))


def sub_seed(seed: int, stream: int) -> int:
    """Seed of one purpose."""
    return int(np.random.SeedSequence((seed, stream)).generate_state(1)[0])


class LayoutSource(Protocol):
    """Where layouts come from."""

    def layouts(self, numbers: range, seed: int) -> list[Labels]:
        """(H, W) labels for each number, each a function of (seed, number)."""
        ...


@dataclass(frozen=True)
class SampledLayouts:
    """Layouts of a layout model, changed to a wish; sampled anew where there is no object in one.

    Attributes
    ----------
    size
        (H, W), multiples of what painter and layout model need.
    steps
        Evaluations of the network for each layout.
    """

    model: LayoutModel
    size: tuple[int, int]
    steps: int
    wish: Wish = field(default_factory=Wish)

    def layouts(self, numbers: range, seed: int) -> list[Labels]:
        """See `LayoutSource`."""
        found: dict[int, Labels] = {}
        for attempt in range(ATTEMPTS):
            missing = [number for number in numbers if number not in found or not found[number].any()]
            if missing:
                found |= dict(zip(missing, self._sampled(missing, attempt, seed), strict=True))
        return [
            arrange(found[number], self.wish, np.random.default_rng((sub_seed(seed, WISH_STREAM), number)))
            for number in numbers
        ]

    def _sampled(self, numbers: Sequence[int], attempt: int, seed: int) -> list[Labels]:
        size = source_size(self.size, self.wish.size, self.model.multiple)
        drawn = [number + attempt * ATTEMPT for number in numbers]
        sampled = self.model.sample(drawn, size, sub_seed(seed, LAYOUT_STREAM), self.steps)
        return [enlarge(labels, self.wish.size, self.size) for labels in sampled]


@dataclass(frozen=True)
class GivenLayouts:
    """A user's own label images, one after the other; when all have had their turn, turned and mirrored ones."""

    files: tuple[Path, ...]

    def layouts(self, numbers: range, seed: int) -> list[Labels]:
        """See `LayoutSource`; each of its file's size."""
        found = []
        for number in numbers:
            labels = read_labels(self.files[number % len(self.files)])
            symmetry = number // len(self.files) % 8
            found.append(relabeled(turned(labels, symmetry)))
        return found


class LayoutPairs(BatchedGenerator):
    """Layout first: the labels are exact by construction, and what is painted is asked to follow them."""

    def __init__(self, source: LayoutSource, painter: Painter, scorer: Scorer, *, steps: int, batch_size: int) -> None:
        super().__init__(batch_size)
        self.source, self.painter, self.scorer, self.steps = source, painter, scorer, steps

    def batch(self, numbers: range, seed: int) -> list[Pair]:
        """See `BatchedGenerator`."""
        layouts = self.source.layouts(numbers, seed)
        multiple = self.painter.denoiser.multiple
        same = len({labels.shape for labels in layouts}) == 1
        groups = [range(len(layouts))] if same else [range(i, i + 1) for i in range(len(layouts))]
        pairs = []
        for group in groups:
            padded = [pad_to(layouts[i], multiple) for i in group]
            own = [numbers[i] for i in group]
            painted = self.painter.paint(padded, own, sub_seed(seed, PAINT_STREAM), self.steps)
            for i, image in zip(group, painted, strict=True):
                height, width = layouts[i].shape
                cut = image[:, :height, :width]
                pixels = in_file(cut, self.painter.record)
                scores = self.scorer.score(cut, pixels, layouts[i])
                pairs.append(Pair(pixels, layouts[i], scores, self.painter.record.normaliser.joint))
        return pairs


class ImagePairs(BatchedGenerator):
    """Image first (DatasetDDPM: Baranchuk et al., ICLR 2022, section 4): sampled, and then labeled by the ensemble."""

    def __init__(
        self,
        denoiser: Denoiser,
        record: DenoiserRecord,
        scorer: Scorer,
        *,
        size: tuple[int, int],
        steps: int,
        batch_size: int,
    ) -> None:
        super().__init__(batch_size)
        self.denoiser, self.record, self.scorer, self.size, self.steps = denoiser, record, scorer, size, steps

    def batch(self, numbers: range, seed: int) -> list[Pair]:
        """See `BatchedGenerator`."""
        images = sample_images(self.denoiser, numbers, self.size, sub_seed(seed, PAINT_STREAM), self.steps)
        pairs = []
        for image in images:
            pixels = in_file(image, self.record)
            pairs.append(Pair(pixels, *self.scorer.label(image, pixels), self.record.normaliser.joint))
        return pairs


class EditPairs(BatchedGenerator):
    """Labeled images of another stain, in this one's colours, painted over in this stain (SDEdit)."""

    def __init__(
        self,
        source: Recoloured,
        denoiser: Denoiser,
        record: DenoiserRecord,
        scorer: Scorer,
        *,
        strength: float,
        steps: int,
        batch_size: int,
    ) -> None:
        super().__init__(batch_size)
        self.source, self.denoiser, self.record, self.scorer = source, denoiser, record, scorer
        self.strength, self.steps = strength, steps

    def batch(self, numbers: range, seed: int) -> list[Pair]:
        """See `BatchedGenerator`; each is edited by itself, for their sizes differ."""
        pairs = []
        for number in numbers:
            planes, labels = self.source.piece(number, seed)
            (height, width), multiple = labels.shape, self.denoiser.multiple
            rough = torch.from_numpy(np.stack([pad_to(plane, multiple, "reflect") for plane in planes]))
            own = sub_seed(seed, PAINT_STREAM + number)
            edited = edit(self.denoiser, rough[None], self.strength, steps=self.steps, seed=own)[0]
            cut = edited[:, :height, :width]
            pixels = in_file(cut, self.record)
            pairs.append(Pair(pixels, labels, self.scorer.score(cut, pixels, labels), self.record.normaliser.joint))
        return pairs


def pad_to(plane: NDArray, multiple: int, mode: str = "constant") -> NDArray:
    """Continue a plane (H, W) at its bottom and right to multiples."""
    padding = [(0, -side % multiple) for side in plane.shape]
    return np.pad(plane, padding, mode=mode)  # type: ignore[call-overload]


def in_file(image: Tensor, record: DenoiserRecord) -> NDArray:
    """Make an image (C, H, W) in [-1, 1] one as the pool's files: (H, W, file channels), 0 in those not painted."""
    pixels = file_pixels(image.numpy(), record)
    channels = record.file_channels or len(record.channels)
    if record.channels == tuple(range(channels)):
        return pixels
    whole = np.zeros((*pixels.shape[:2], channels), pixels.dtype)
    whole[..., list(record.channels)] = pixels
    return whole
