import os
import sys
import time

import numpy as np
import pytest

from fewstain.baselines.cellpose import Cellpose
from fewstain.baselines.cellpose_worker import channel_options
from fewstain.benchmark.cell import time_limit
from fewstain.errors import UserError
from fewstain.pixels.labeled_window import label_window

FAKE = {
    "torch.py": "from types import SimpleNamespace\nmanual_seed = int\ncuda = SimpleNamespace(is_available=bool)\n",
    "cellpose/__init__.py": "",
    "cellpose/utils.py": "def diameters(labels):\n    return 7.0, None\n",
    "cellpose/train.py": """
def train_seg(net, train_data, train_labels, n_epochs, **options):
    print("chatter")
    net.level = min(image[label > 0].min() for image, label in zip(train_data, train_labels))
    net.epochs = n_epochs
""",
    "cellpose/models.py": """
import numpy as np


class Net:
    def parameters(self):
        return [np.zeros(5)]


class CellposeModel:
    def __init__(self, gpu, pretrained_model, nchan):
        assert pretrained_model is False or open(pretrained_model).read() == "weights"
        self.net = Net()

    def eval(self, pixels, diameter, normalize, channels):
        assert diameter == 7.0
        return ((pixels >= self.net.level).astype(np.uint16),)
""",
}


@pytest.fixture
def python(tmp_path):
    """The Python of an environment in which a stand-in for Cellpose, that learns a threshold, is installed."""
    site = tmp_path / "site"
    for name, text in FAKE.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("np.zeros(5)", "__import__('types').SimpleNamespace(numel=lambda: 5)"))
    packages = os.path.dirname(os.path.dirname(np.__file__))  # noqa: PTH120
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{site}:{packages}" exec "{sys.executable}" -S "$@"\n')
    script.chmod(0o755)
    return script


def window(objects=True):
    image = np.full((1, 24, 24), -0.5, np.float32)
    image[:, 8:14, 8:14] = 0.5
    labels = (image[0] > 0).astype(np.int32) * objects
    return label_window(image, labels[4:20, 4:20], (4, 4), "a", "a", 1), image


def test_it_is_trained_in_its_own_environment_and_asked_image_by_image(python, tmp_path):
    labeled, image = window()
    empty, _ = window(objects=False)
    cellpose = Cellpose(python, tmp_path / "work", steps=3, seed=1).fit([labeled, empty])
    assert cellpose.facts == {"epochs": 3, "parameters": 5, "diameter": 7.0}
    for shown in (image, image[:, :10]):
        np.testing.assert_array_equal(cellpose.find(shown), shown[0] > 0)
    cellpose.close()


def test_a_time_budget_is_measured_by_a_few_epochs(python, tmp_path):
    cellpose = Cellpose(python, tmp_path / "work", seconds=0.5).fit([window()[0]])
    assert cellpose.facts["epochs"] >= 1
    cellpose.close()


def gone(number):
    """Whether a process ends within a few seconds."""
    for _ in range(50):
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def test_it_goes_on_from_given_weights(python, tmp_path):
    (tmp_path / "cyto3").write_text("weights")
    labeled, image = window()
    cellpose = Cellpose(python, tmp_path / "work", steps=1, weights=tmp_path / "cyto3").fit([labeled])
    np.testing.assert_array_equal(cellpose.find(image), image[0] > 0)
    cellpose.close()


@pytest.mark.parametrize("given", [None, "weights"])
def test_channels_of_the_network(given):
    found = [channel_options(channels, given is not None) for channels in (1, 2, 3)]
    assert found[:2] == [(2, {"channels": [0, 0]}), (2, {"channels": [1, 2], "channel_axis": 0})]
    grey, all_three = (2, {"channels": [0, 0], "channel_axis": 0}), (3, {"channels": None, "channel_axis": 0})
    assert found[2] == (grey if given else all_three)


def test_a_training_that_takes_too_long_is_ended(python, tmp_path):
    train = "import os, time\ndef train_seg(*a, save_path, **b):\n"
    train += "    (save_path / 'pid').write_text(str(os.getpid()))\n    time.sleep(60)\n"
    (tmp_path / "site" / "cellpose" / "train.py").write_text(train)
    with pytest.raises(TimeoutError), time_limit(3):
        Cellpose(python, tmp_path / "work", steps=1).fit([window()[0]])
    assert gone(int((tmp_path / "work" / "pid").read_text()))


def test_one_that_takes_too_long_for_an_image_is_ended(python, tmp_path):
    models = tmp_path / "site" / "cellpose" / "models.py"
    models.write_text(models.read_text().replace("assert diameter == 7.0", "import time; time.sleep(60)"))
    cellpose = Cellpose(python, tmp_path / "work", steps=1).fit([window()[0]])
    number = cellpose._process.pid
    with pytest.raises(TimeoutError), time_limit(1):
        cellpose.find(window()[1])
    cellpose.close()
    assert gone(number)


def test_what_goes_wrong_is_told(python, tmp_path):
    with pytest.raises(UserError, match="make the environment"):
        Cellpose(tmp_path / "nowhere", tmp_path / "work", steps=1)
    (tmp_path / "site" / "cellpose" / "train.py").write_text("def train_seg(*a, **b):\n    raise MemoryError('full')\n")
    with pytest.raises(UserError, match="ended with 1: MemoryError: full"):
        Cellpose(python, tmp_path / "work", steps=1).fit([window()[0]])
