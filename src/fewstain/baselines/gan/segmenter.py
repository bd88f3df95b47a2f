"""DatasetGAN: labels of a few latents, an ensemble on the generator's features, and a segmenter of what it labels.

Zhang et al., CVPR 2021. Where the latents come from is what differs: real crops, projected, or the generator's own
images, labeled by an annotator.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fewstain.baselines.gan.projection import cut_crops, project
from fewstain.baselines.gan.training import Gan
from fewstain.baselines.presets import UNetSettings
from fewstain.baselines.tuned import MOST_TUNING_WINDOWS, choose_decoder
from fewstain.baselines.unet import CLASSES, UNetSegmenter
from fewstain.diffusion.progress import StepProgress
from fewstain.pixels.choose import MEMBERS_PER_FOLD
from fewstain.pixels.consensus import Consensus
from fewstain.pixels.decode import DecoderParameters
from fewstain.pixels.ensemble import PixelEnsemble, PixelMaps
from fewstain.pixels.folds import assign_folds, learnable
from fewstain.pixels.gather import gather
from fewstain.pixels.labeled_window import LabeledWindow, label_window
from fewstain.pixels.projection import Projection, fit_projection
from fewstain.pixels.proposals import HeldOutMaps
from fewstain.pixels.table import PROJECTION_PIXELS, PixelTable, gather_pixels
from fewstain.pixels.training import train_ensemble
from fewstain.pixels.tune import decode_maps, decoder_candidates
from fewstain.settings import PixelSettings

KEPT = 0.9  # of the generated images; the most uncertain tenth is dropped, as in the paper
REAL_SHARE = 0.5  # of what the segmenter sees, where there are labeled windows beside the pairs
ANNOTATED = 24

Annotate = Callable[[NDArray[np.float32]], NDArray[np.int32]]


@dataclass
class DatasetGanSegmenter:
    """Labeled windows -> their latents -> ensemble and its decoder -> pairs -> a U-Net on pairs and windows.

    Parameters
    ----------
    gan
        Trained.
    settings
        Of the ensemble, and of the choice of the decoder that labels painted images; `components` of each of the
        generator's maps.
    budget
        `steps` or `seconds` of the U-Net.
    pairs
        Images to generate.
    projection_steps
        Of each crop.
    seed
        Of latents, ensemble and U-Net.
    device
        Of the U-Net.
    annotate
        (C, S, S) generated image -> its labels; then `ANNOTATED` of them are what is learned from, and no window.
    projected
        Latents of crops by name, kept from one fit to the next: they depend on no label.
    unet_settings
        Of the U-Net; its crops are as large as the generator's images.
    """

    gan: Gan
    settings: PixelSettings
    budget: dict[str, Any]
    pairs: int = 400
    projection_steps: int = 150
    seed: int = 0
    device: str = "cpu"
    annotate: Annotate | None = None
    projected: dict[str, Tensor] = field(default_factory=dict, repr=False)
    unet_settings: UNetSettings = field(default_factory=UNetSettings)
    unet: UNetSegmenter | None = field(default=None, init=False, repr=False)
    kept: int = field(default=0, init=False)

    def fit(self, windows: Sequence[LabeledWindow]) -> Self:
        """Learn from windows; see `PixelSegmenter`."""
        if self.annotate is None:
            crops = [crop for window in windows for crop in cut_crops(window, self.gan.generator.side)]
            latents, real = self._latents(crops), list(windows)
        else:
            latents, crops = self._annotated()
            real = []
        projection, table = self._table(latents, crops)
        ensemble = self._ensemble(table, [torch.arange(len(table))] * self.settings.members)
        pairs = self._generate(ensemble, projection, self._decoder(latents, crops, projection, table))
        self.kept = len(pairs)
        settings = self.unet_settings.model_copy(update={"crop": self.gan.generator.side})
        self.unet = UNetSegmenter(**self.budget, settings=settings, device=self.device, seed=self.seed)
        self.unet.fit(real, pairs, 1 - REAL_SHARE if real else 1.0)
        return self

    def predict(self, image: NDArray[np.float32]) -> PixelMaps:
        """Predict the maps of an image (C, H, W); see `PixelSegmenter`."""
        if self.unet is None:
            raise ValueError("fit first")
        return self.unet.predict(image)

    @property
    def parameters(self) -> int:
        """Number of weights of the generator, which makes the pairs, and of the U-Net, which finds the objects."""
        of_generator = sum(each.numel() for each in self.gan.generator.parameters())
        return of_generator + (0 if self.unet is None else self.unet.parameters)

    def _latents(self, crops: Sequence[LabeledWindow]) -> Tensor:
        new = [crop for crop in crops if crop.name not in self.projected]
        if new:
            images = torch.stack([crop.image for crop in new])
            seeds = [self._noise_seed(crop.name) for crop in new]
            found = project(self.gan, images, seeds, self.projection_steps, self.seed)
            self.projected.update({crop.name: latents for crop, latents in zip(new, found, strict=True)})
        return torch.stack([self.projected[crop.name] for crop in crops])

    @torch.inference_mode()
    def _annotated(self) -> tuple[Tensor, list[LabeledWindow]]:
        """Latents of generated images, and the images with an annotator's labels."""
        if self.annotate is None:
            raise ValueError("no annotator")
        latents = self.gan.draw(ANNOTATED, torch.Generator().manual_seed(self.seed))
        labeled = []
        for number, one in enumerate(latents):
            name = f"annotated{number}"
            image = self._paint(one, name)[0]
            labeled.append(label_window(image, self.annotate(image), (0, 0), name, name, 1))
        return latents, labeled

    def _table(self, latents: Tensor, crops: Sequence[LabeledWindow]) -> tuple[Projection, PixelTable]:
        """Gather the features of latents at pixels of their crops, and fit the projection that makes them few."""
        rng = np.random.default_rng(self.seed)
        known = list(zip(latents, crops, strict=True))
        samples = [[each.numpy() for each in self._sample(one, crop.name, rng)] for one, crop in known]
        together = (np.concatenate(each) for each in zip(*samples, strict=True))
        projection = fit_projection(together, self.settings.components, [False] * self.gan.generator.layers)
        pixels = self.settings.pixels_of_each(len(crops))
        parts = [
            gather_pixels(projection.apply(self._paint(one, crop.name)[1]), crop, number, pixels, rng)
            for number, (one, crop) in enumerate(known)
        ]
        return projection, PixelTable.joined(parts)

    def _ensemble(self, table: PixelTable, allowed: Sequence[Tensor]) -> PixelEnsemble:
        columns, place = torch.arange(table.features.shape[1]), self.gan.augmentation.device
        return train_ensemble(table, columns, allowed, CLASSES, self.settings, seed=self.seed, device=place)

    def _decoder(
        self, latents: Tensor, crops: Sequence[LabeledWindow], projection: Projection, table: PixelTable
    ) -> DecoderParameters | Consensus:
        """Choose the decoder of painted images by crops that small ensembles have not seen, all trained in one pass.

        Without views, which would have to be projected too. The default where the crops are too few, or too near to one
        another, to hold some out.
        """
        default = decoder_candidates(crops, 1)[0]
        if len(crops) < 2:
            return default
        fold = assign_folds(crops, self.settings.folds, self.seed)
        allowed = [learnable(table, crops, fold, held_out) for held_out in range(int(fold.max()) + 1)]
        if not all(len(each) for each in allowed):
            return default
        ensemble = self._ensemble(table, [each for each in allowed for _ in range(MEMBERS_PER_FOLD)])
        of_fold = [
            ensemble.select(range(first, first + MEMBERS_PER_FOLD))
            for first in range(0, len(allowed) * MEMBERS_PER_FOLD, MEMBERS_PER_FOLD)
        ]
        chosen = np.sort(np.random.default_rng(self.seed).permutation(len(crops))[:MOST_TUNING_WINDOWS])
        maps = [self._map(of_fold[fold[index]], projection, latents[index], crops[index]) for index in chosen]
        return choose_decoder(HeldOutMaps([crops[index] for index in chosen], maps), self.settings, self.seed)

    @torch.inference_mode()
    def _map(self, ensemble: PixelEnsemble, projection: Projection, latents: Tensor, crop: LabeledWindow) -> PixelMaps:
        side = self.gan.generator.side
        maps = self._paint(latents, crop.name)[1]
        return ensemble.predict(projection.apply(maps), (side, side)).cut(*crop.inside)

    @torch.inference_mode()
    def _paint(self, latents: Tensor, name: str) -> tuple[NDArray[np.float32], list[Tensor]]:
        """Paint the image (C, S, S) of latents (layers, width), and give its maps: with the same noise at each call."""
        image, maps = self.gan.generator(latents[None], self.gan.generator.noise_of([self._noise_seed(name)]))
        return image[0].clamp(-1, 1).cpu().numpy(), maps

    def _noise_seed(self, name: str) -> int:
        """Seed of an image's noise: as different between labeled images as between those that are labeled by them."""
        return int.from_bytes(hashlib.sha256(f"{self.seed} {name}".encode()).digest()[:7])

    def _sample(self, latents: Tensor, name: str, rng: np.random.Generator) -> list[Tensor]:
        """Features of some pixels, of each map."""
        side = self.gan.generator.side
        rows, columns = (torch.from_numpy(rng.integers(0, side, PROJECTION_PIXELS)) for _ in range(2))
        maps = self._paint(latents, name)[1]
        where = maps[0].device
        return [gather([each], rows.to(where), columns.to(where), (side, side)).cpu() for each in maps]

    @torch.inference_mode()
    def _generate(
        self, ensemble: PixelEnsemble, projection: Projection, decoder: DecoderParameters | Consensus
    ) -> list[LabeledWindow]:
        """Paint and label images; those the ensemble is surest of, in the order they were painted."""
        side = self.gan.generator.side
        generator = torch.Generator().manual_seed(self.seed + 1)
        made: list[tuple[float, NDArray[np.float32], NDArray[np.int32]]] = []
        with StepProgress("painting and labeling", self.pairs) as progress:
            for number in range(1, self.pairs + 1):
                image, maps = self._paint(self.gan.draw(1, generator)[0], f"pair{number - 1}")
                found = ensemble.predict(projection.apply(maps), (side, side))
                doubt = float(found.uncertainty.mean())
                made.append((doubt, image, decode_maps(found, decoder)))
                if progress.due(number):
                    progress.show(number)
        keep = sorted(np.argsort([doubt for doubt, _, _ in made], kind="stable")[: max(1, round(KEPT * self.pairs))])
        return [
            label_window(made[index][1], made[index][2], (0, 0), f"pair{index}", f"pair{index}", 1) for index in keep
        ]
