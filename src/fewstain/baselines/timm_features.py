"""Any timm backbone as feature extractor, where timm, torchvision and its weights are installed."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from fewstain.diffusion.padding import pad_to_multiple
from fewstain.errors import UserError

MOST_MAPS = 8
HEADS = {"head", "head_dist", "classifier", "fc", "fc_norm"}  # parts of names that timm gives to classifiers alone


class TimmFeatures:
    """Feature maps of several depths of a backbone, for images scaled as its training's were.

    Parameters
    ----------
    name
        Of the model in timm.
    weights
        Its weights, a safetensors file; nothing is downloaded. What the file has beyond the features, such as a
        classifier's head, is not read.
    enlarge
        The image is enlarged by this first: cells are far smaller than the objects such networks were trained on.

    Raises
    ------
    UserError
        timm is not installed; a file that is damaged, or lacks a weight of the model or has it in another shape.
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
        _load(model, name, weights)
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


def _load(model: Any, name: str, path: Path) -> None:
    """Give a model all of its weights; none may be left as it was drawn."""
    remedy = f"give the safetensors file of this very model's weights, or its name as `timm` in place of {name}"
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as fault:
        raise UserError(f"{path}: no safetensors file ({fault}); {remedy}") from fault
    try:
        missing = model.load_state_dict(_named_as(model, weights), strict=False).missing_keys
    except RuntimeError as fault:  # weights of another shape
        raise UserError(f"{path}: not the weights of {name} ({_first_fault(fault)}); {remedy}") from fault
    needed = [key for key in missing if not _is_head(key)]
    if needed:
        raise UserError(f"{path}: not the weights of {name}: lacks {len(needed)}, as {needed[0]}; {remedy}")


def _is_head(key: str) -> bool:
    """Whether a weight is of the classifier, which the features do not use."""
    return key.removeprefix("model.").split(".")[0] in HEADS


def _first_fault(fault: RuntimeError) -> str:
    """Take the first weight of PyTorch's list, which may have hundreds."""
    lines = [line.strip() for line in str(fault).splitlines()]
    return lines[min(1, len(lines) - 1)].rstrip(".")


def _named_as(model: Any, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename weights as the features' wrapper does: it may call the network "model", and stages.0 stages_0."""
    wrapped = {_unwrapped(name): name for name in model.state_dict()}
    return {wrapped.get(name, name): each for name, each in weights.items()}


def _unwrapped(name: str) -> str:
    return re.sub(r"^([a-z]+)_(\d+)\.", r"\1.\2.", name.removeprefix("model."))
