"""The segmenter, which maps an image in one pass: the denoiser's U-Net with another last layer, or one of its own."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.padding import pad_to_multiple
from fewstain.pairs.unet import LabelUNet
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.predict import FLIPS
from fewstain.settings import SegmenterNetwork, SegmenterSettings

TIMESTEP_SHARE = 0.02  # of the noise schedule: the denoiser knows images as clean as this, and with all their detail


class Segmenter(nn.Module):
    """Predicts classes and distance at every pixel of a clean image.

    Its weights are the denoiser's at first, but for the last layer: they know what images of this stain look like
    (Baranchuk et al., ICLR 2022, read the same weights' activations).

    Parameters
    ----------
    denoiser
        Trained, or untrained for a segmenter from scratch; copied.
    classes
        Number K of pixel classes: background, boundary, and the interior of each class of objects.
    """

    def __init__(self, denoiser: Denoiser, classes: int) -> None:
        super().__init__()
        self.unet = copy.deepcopy(denoiser.unet)
        self.classes, self.unshuffle, self.multiple = classes, denoiser.unshuffle, denoiser.multiple
        self.timestep = round(TIMESTEP_SHARE * denoiser.scheduler.config["num_train_timesteps"])
        last = self.unet.conv_out
        self.unet.conv_out = nn.Conv2d(last.in_channels, (classes + 1) * self.unshuffle**2, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Map images.

        Parameters
        ----------
        images
            (B, C, H, W) in [-1, 1]; H and W multiples of `multiple`.

        Returns
        -------
        Tensor
            (B, K + 1, H, W): logits of the classes, and the distance's.
        """
        blocks = functional.pixel_unshuffle(images, self.unshuffle)
        timesteps = torch.full((len(images),), self.timestep, device=images.device)
        found = self.unet(blocks, timesteps, encoder_hidden_states=None, return_dict=False)[0]
        return functional.pixel_shuffle(found, self.unshuffle)


SegmenterModule = Segmenter | LabelUNet


def build_segmenter(denoiser: Denoiser, classes: int, settings: SegmenterSettings) -> SegmenterModule:
    """Make a segmenter, not trained yet; its last layer, or all of a U-Net, has random weights.

    Parameters
    ----------
    denoiser
        Of the same images; copied, or, for a U-Net, only asked for their channels.
    classes
        Number K of pixel classes.
    settings
        Which network.
    """
    if settings.network is SegmenterNetwork.unet:
        return LabelUNet(denoiser.image_channels, classes, settings.features)
    return Segmenter(denoiser, classes)


class SegmenterPredictor:
    """Maps of images of any size; see `fewstain.pixels.predict.Predictor`.

    Parameters
    ----------
    segmenter
        Trained.
    autocast
        Run in bfloat16, as the ensemble's features are read; the maps are float32 all the same.
    """

    def __init__(self, segmenter: SegmenterModule, *, autocast: bool = False) -> None:
        self.segmenter, self.autocast = segmenter.eval(), autocast
        self.multiple, self.classes = segmenter.multiple, segmenter.classes

    @torch.inference_mode()
    def __call__(self, images: Tensor, origin: tuple[int, int], flips: bool = False) -> PixelMaps:
        """See `Predictor`. The uncertainty of this one network is the entropy of its classes, nats."""
        device = next(self.segmenter.parameters()).device
        padded = pad_to_multiple(images.to(device), self.multiple)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.autocast):
            outputs = [self.segmenter(padded.flip(flip)).flip(flip).float() for flip in (FLIPS if flips else FLIPS[:1])]
        outputs = [each[..., : images.shape[2], : images.shape[3]] for each in outputs]
        probabilities = torch.stack([each[:, :-1].softmax(1) for each in outputs]).mean(0)
        distance = torch.stack([each[:, -1].sigmoid() for each in outputs]).mean(0)
        entropy = torch.special.entr(probabilities).sum(1)
        return PixelMaps(probabilities, distance, entropy)
