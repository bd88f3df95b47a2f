import sys
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from fewstain.baselines.timm_features import TimmFeatures
from fewstain.errors import UserError


class Backbone(nn.Module):
    """Gives means of 4 x 4 pixels, as a network of stride 4 would."""

    pretrained_cfg = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(()))
        self.feature_info = SimpleNamespace(reduction=lambda: [4], channels=lambda: [3])

    def forward(self, images):
        return [self.scale * functional.avg_pool2d(images, 4)]


@pytest.fixture
def weights(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(create_model=lambda name, **options: Backbone()))
    save_file({"scale": torch.tensor(1.0)}, tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def ramp(height, width):
    """An image that rises evenly from left to right, in [-1, 1]."""
    return (torch.arange(width) / width).expand(1, 1, height, width).clone()


def test_maps_cover_the_image_and_no_more(weights):
    features = TimmFeatures("any", weights, enlarge=2)
    for width in (16, 15, 17):  # of which only the first is a multiple of the stride
        (found,) = features.maps(ramp(8, width))
        columns = found.shape[3]
        # of an evenly rising image, the value at each cell's centre
        centres = (torch.arange(columns) + 0.5) / columns - 0.5 / width
        torch.testing.assert_close(found[0, 0, 0, 1:-1], centres[1:-1], atol=0.03, rtol=0)


def test_grey_becomes_rgb_and_of_many_channels_three_are_used(weights):
    features = TimmFeatures("any", weights)
    grey = torch.rand(2, 1, 8, 8)
    (found,) = features.maps(grey)
    assert torch.equal(found[:, 0], found[:, 2])
    assert features.maps(torch.rand(1, 5, 8, 8))[0].shape == (1, 3, 4, 4)


class Staged(nn.Module):
    """As timm's wrapper of a network whose weights are called stages.0.weight, stages.1.weight and head.weight."""

    def __init__(self):
        super().__init__()
        self.stages_0, self.stages_1 = nn.Linear(2, 2, bias=False), nn.Linear(2, 3, bias=False)
        self.head = nn.Linear(3, 4, bias=False)
        self.feature_info = SimpleNamespace(reduction=lambda: [4], channels=lambda: [3])


@pytest.fixture
def staged(tmp_path, monkeypatch):
    """Reads a file of weights of these shapes into the network."""
    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(create_model=lambda name, **options: Staged()))

    def read(shapes):
        save_file({name: torch.ones(shape) for name, shape in shapes.items()}, tmp_path / "w.safetensors")
        return TimmFeatures("staged", tmp_path / "w.safetensors").model

    return read


def test_weights_get_the_wrappers_names_and_the_head_may_be_missing(staged):
    model = staged({"stages.0.weight": (2, 2), "stages.1.weight": (3, 2), "other_head.bias": (1,)})
    assert torch.equal(model.stages_1.weight, torch.ones(3, 2))


@pytest.mark.parametrize(
    ("shapes", "told"),
    [
        ({"layers.0.weight": (2, 2), "layers.1.weight": (3, 2)}, "lacks 2, as stages_0.weight"),  # of another network
        ({"stages.0.weight": (2, 2), "head.weight": (4, 3)}, "lacks 1, as stages_1.weight"),
        ({"stages.0.weight": (2, 2), "stages.1.weight": (9, 2)}, "size mismatch for stages_1.weight"),
    ],
)
def test_weights_of_another_network_are_refused(staged, shapes, told):
    with pytest.raises(UserError, match=rf"w\.safetensors: not the weights of staged.*{told}.*give the safetensors"):
        staged(shapes)


def test_a_damaged_file_is_told(staged, tmp_path, monkeypatch):
    (tmp_path / "weights").write_bytes(b"nothing")
    with pytest.raises(UserError, match="weights: no safetensors file"):
        TimmFeatures("staged", tmp_path / "weights")


def test_where_timm_is_not_installed_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match="not installed here"):
        TimmFeatures("any", tmp_path / "weights")
