"""A U-Net that begins with random weights, and knows nothing but labels."""

from __future__ import annotations

from monai.networks.nets import BasicUNet
from torch import Tensor, nn

from fewstain.settings import UNET_MULTIPLE


def new_unet(channels: int, classes: int, features: tuple[int, ...]) -> nn.Module:
    """Make MONAI's U-Net (Ronneberger, Fischer & Brox, MICCAI 2015; Falk et al., *Nature Methods* 2019).

    Parameters
    ----------
    channels
        Of the image.
    classes
        Number K of pixel classes; K + 1 maps come out.
    features
        Width of the five levels and of the last layer, multiples of 8.
    """
    # Group norm: a batch of 8 small crops says little of a batch norm's statistics, and instance norm would
    # wash out how bright a crop is.
    return BasicUNet(
        spatial_dims=2,
        in_channels=channels,
        out_channels=classes + 1,
        features=features,
        norm=("group", {"num_groups": 8}),
        upsample="nontrainable",
    )


class LabelUNet(nn.Module):
    """Predicts classes and distance at every pixel of a clean image, as `Segmenter` does.

    Parameters
    ----------
    channels, classes, features
        As of `new_unet`.
    """

    def __init__(self, channels: int, classes: int, features: tuple[int, ...]) -> None:
        super().__init__()
        self.unet = new_unet(channels, classes, features)
        self.classes, self.multiple = classes, UNET_MULTIPLE

    def forward(self, images: Tensor) -> Tensor:
        """Map images: see `Segmenter.forward`; sides are multiples of 16."""
        found: Tensor = self.unet(images)
        return found
