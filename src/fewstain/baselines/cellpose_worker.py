"""What runs inside Cellpose's own environment, as a file: numpy and Cellpose are all it may import.

    python cellpose_worker.py FOLDER

FOLDER/train/*.image.npy (H, W, C) float32 in [0, 1] and *.labels.npy (H, W); FOLDER/settings.json {"seconds" or
"steps", "seed", "weights": a file of pretrained ones, or null}. Writes FOLDER/done.json {"epochs", "parameters",
"diameter"} and says "trained"; then, for each line that it is told, the name of an image FOLDER/test/<name>.image.npy,
it writes FOLDER/found/<name>.npy (H, W) int32 and says "found".
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 8
PROBE_EPOCHS = 3  # by which the time of an epoch is told
LEAST_PER_EPOCH = 8  # windows: a few are seen several times, so that an epoch is a whole batch


def main() -> None:
    """Train from random or given weights, then find the objects of every image that it is told of."""
    threading.Thread(target=end_with_parent, args=(os.getppid(),), daemon=True).start()
    import torch
    from cellpose import models, utils

    folder = Path(sys.argv[1])
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    torch.manual_seed(settings["seed"])
    np.random.seed(settings["seed"])  # noqa: NPY002 - Cellpose draws from it, but seeds it anew in each epoch
    names = sorted(path.name.removesuffix(".image.npy") for path in (folder / "train").glob("*.image.npy"))
    labels = [np.load(folder / "train" / f"{name}.labels.npy").astype(np.int32) for name in names]
    kept = [number for number, each in enumerate(labels) if each.any()]  # it refuses windows without objects
    images = [np.load(folder / "train" / f"{names[number]}.image.npy") for number in kept]
    labels = [labels[number] for number in kept]
    nchan, options = channel_options(images[0].shape[2], settings["weights"] is not None)

    def new_model() -> Any:
        weights = settings["weights"] or False
        return models.CellposeModel(gpu=torch.cuda.is_available(), pretrained_model=weights, nchan=nchan)

    start = time.monotonic()
    epochs = settings.get("steps")
    if epochs is None:
        probe = new_model()
        before = time.monotonic()
        train(probe.net, images, labels, options, PROBE_EPOCHS, folder)
        each = (time.monotonic() - before) / PROBE_EPOCHS
        epochs = max(1, int((settings["seconds"] - (time.monotonic() - start)) / each))
    model = new_model()
    train(model.net, images, labels, options, epochs, folder)
    diameter = float(np.mean([utils.diameters(each)[0] for each in labels]))
    parameters = sum(each.numel() for each in model.net.parameters())
    facts = {"epochs": epochs, "parameters": parameters, "diameter": diameter}
    (folder / "done.json").write_text(json.dumps(facts), encoding="utf-8")
    (folder / "found").mkdir(exist_ok=True)
    print("trained", flush=True)
    for line in sys.stdin:
        name = line.strip()
        pixels = laid_out(np.load(folder / "test" / f"{name}.image.npy"))
        found = model.eval(pixels, diameter=diameter, normalize=False, **options)[0]
        np.save(folder / "found" / f"{name}.npy", np.asarray(found, np.int32))
        print("found", flush=True)


def end_with_parent(parent: int) -> None:
    """End when the process that started this one is gone, for it was killed: nobody waits for the training then."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def channel_options(channels: int, pretrained: bool) -> tuple[int, dict[str, Any]]:
    """Channels of the network, and how Cellpose is told of the images': grey, two, or as they are.

    Pretrained networks have two, so they see more than two channels as grey.
    """
    if channels == 1:
        return 2, {"channels": [0, 0]}
    if channels > 2 and pretrained:
        return 2, {"channels": [0, 0], "channel_axis": 0}
    if channels == 2:
        return 2, {"channels": [1, 2], "channel_axis": 0}
    return channels, {"channels": None, "channel_axis": 0}


def laid_out(pixels: np.ndarray) -> np.ndarray:
    """(H, W, C) -> (H, W) of one channel, else (C, H, W)."""
    return pixels[..., 0] if pixels.shape[2] == 1 else np.moveaxis(pixels, -1, 0)


def train(
    net: Any, images: list[np.ndarray], labels: list[np.ndarray], options: dict[str, Any], epochs: int, folder: Path
) -> None:
    """Train as Cellpose does, with its own augmentation, optimiser and rate."""
    from cellpose import train as training

    training.train_seg(
        net,
        train_data=[laid_out(each) for each in images],
        train_labels=labels,
        batch_size=BATCH,
        n_epochs=epochs,
        nimg_per_epoch=max(LEAST_PER_EPOCH, len(images)),
        normalize=False,
        min_train_masks=1,
        save_path=folder,
        **options,
    )


if __name__ == "__main__":
    main()
