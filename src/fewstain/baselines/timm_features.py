"""Any timm backbone as feature extractor, where timm, torchvision and its weights are installed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from fewstain.errors import UserError
from fewstain.pixels.features import pad_to_multiple

MOST_MAPS = 8


class TimmFeatures:
    """Feature maps of several depths of a backbone, for images scaled as its training's were.

    Parameters
    ----------
    name
        Of the model in timm.
    weights
        Its weights, a safetensors file; nothing is downloaded.
    enlarge
        The image is enlarged by this first: cells are far smaller than the objects such networks were trained on.
    """

    multiple = 1

    def __init__(self, name: str, weights: Path, enlarge: int = 2) -> None:
        try:
            timm: Any = importlib.import_module("timm")
        except ImportError as fault:
            raise UserError(f"timm: not installed here ({fault}); pip install timm torchvision") from fault
        try:
            model = timm.create_model(name, pretrained=False, features_only=True, dynamic_img_size=True)
        except TypeError:  # convolutional networks take images of any size as they are
            model = timm.create_model(name, pretrained=False, features_only=True)
        found = model.load_state_dict(_named_as(model, load_file(weights)), strict=False)
        if len(found.missing_keys) > len(found.unexpected_keys) + len(list(model.parameters())) // 2:
            raise UserError(f"{weights}: not the weights of {name}; give those of this model")
        config = model.pretrained_cfg if hasattr(model, "pretrained_cfg") else {}
        self.model, self.enlarge = model.eval(), enlarge
        self.mean = torch.tensor(config.get("mean", (0.485, 0.456, 0.406)))[:, None, None]
        self.std = torch.tensor(config.get("std", (0.229, 0.224, 0.225)))[:, None, None]
        self.stride = max(model.feature_info.reduction())
        self.names = tuple(f"depth{number}" for number in range(len(model.feature_info.channels())))[-MOST_MAPS:]

    @torch.inference_mode()
    def maps(self, images: Tensor, origin: tuple[int, int] = (0, 0), draw: int = 0) -> list[Tensor]:
        """See `FeatureExtractor.maps`; grey images become RGB, of several channels the first three are used."""
        device = next(self.model.parameters()).device
        rgb = images[:, :3] if images.shape[1] >= 3 else images[:, :1].expand(-1, 3, -1, -1)
        standard = ((rgb.to(device) + 1) / 2 - self.mean.to(device)) / self.std.to(device)
        large = functional.interpolate(standard, scale_factor=self.enlarge, mode="bilinear", align_corners=False)
        padded = pad_to_multiple(large, self.stride)
        share = [wanted / got for wanted, got in zip(large.shape[2:], padded.shape[2:], strict=True)]
        found = self.model(padded)[-MOST_MAPS:]
        return [_cut(each, share) for each in found]


def _cut(maps: Tensor, share: list[float]) -> Tensor:
    """Leave out what padding added; by resampling where a cell is cut, so that maps cover the image exactly."""
    if share == [1.0, 1.0]:
        return maps.float()
    size = [max(1, round(side * part)) for side, part in zip(maps.shape[2:], share, strict=True)]
    theta = torch.tensor([[share[1], 0, share[1] - 1], [0, share[0], share[0] - 1]], device=maps.device)
    grid = functional.affine_grid(theta.expand(len(maps), 2, 3), [len(maps), maps.shape[1], *size], align_corners=False)
    return functional.grid_sample(maps.float(), grid, padding_mode="border", align_corners=False)


def _named_as(model: Any, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename weights where the features' wrapper calls the network "model"."""
    prefixed = any(name.startswith("model.") for name in model.state_dict())
    return {f"model.{name}": each for name, each in weights.items()} if prefixed else weights
