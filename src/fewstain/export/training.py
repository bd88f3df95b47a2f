"""Folders that Cellpose, StarDist and nnU-Net train on: TIFF images beside TIFF labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from fewstain.errors import UserError
from fewstain.export.objects import each_object
from fewstain.export.samples import Sample
from fewstain.export.writer import Writer, dataset_name
from fewstain.images.plane import is_rgb
from fewstain.images.read import Image
from fewstain.images.write import is_bigtiff, label_dtype
from fewstain.pixels.targets import BACKGROUND, BOUNDARY, INTERIOR, pixel_classes
from fewstain.storage import write_json

# What Cellpose takes for its own output: cellpose.io.get_image_files (version 4.2)
_CELLPOSE_OWN = ("_cp_output", "_flows", "_flows_0", "_flows_1", "_flows_2", "_cellprob", "_masks")


class Cellpose(Writer):
    """<image>.tif beside <image>_masks.tif (cellpose.io.load_train_test_data; Cellpose's documentation, "Training")."""

    odd_objects = "Cellpose takes each number as one object; they are as they were"

    def add(self, sample: Sample, labels: np.ndarray) -> None:
        """Write the image and its masks.

        Raises
        ------
        UserError
            The image's name ends as Cellpose's own files do.
        """
        if sample.name.endswith(_CELLPOSE_OWN):
            ending = next(ending for ending in _CELLPOSE_OWN if sample.name.endswith(ending))
            raise UserError(f"{sample.image}: Cellpose takes files ending in {ending} for its own; rename the image")
        write_picture(self.folder / f"{sample.name}.tif", sample)
        write_plain(self.folder / f"{sample.name}_masks.tif", stored(labels), sample.pixel_size_um)


class StarDist(Writer):
    """images/<image>.tif and masks/<image>.tif, as StarDist's training notebooks read them, channels last."""

    odd_objects = "StarDist learns star-convex outlines: it fills holes and cannot describe several pieces"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for name in ("images", "masks"):
            (folder / name).mkdir()

    def add(self, sample: Sample, labels: np.ndarray) -> None:
        """Write the image and its masks."""
        write_picture(self.folder / "images" / f"{sample.name}.tif", sample)
        write_plain(self.folder / "masks" / f"{sample.name}.tif", stored(labels), sample.pixel_size_um)


class NnUNet(Writer):
    """nnU-Net v2's raw dataset (documentation/dataset_format.md): imagesTr, labelsTr, dataset.json.

    nnU-Net segments classes, not instances: labels become background 0, border 1 (an object's outermost pixels) and
    interior 2. Connected interiors of a prediction, grown by the border's one pixel, are instances again.
    """

    odd_objects = "nnU-Net's classes know no objects: each piece becomes an object of its own, holes stay"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for name in ("imagesTr", "labelsTr"):
            (folder / name).mkdir()
        self._kind: tuple[int, bool] | None = None
        self._count = self._thin = 0

    @classmethod
    def folder_name(cls, results: str, collection: str) -> str:
        """As nnU-Net finds it in its folder nnUNet_raw."""
        return dataset_name(results, collection)

    def add(self, sample: Sample, labels: np.ndarray) -> None:
        """Write the image, RGB in one file, otherwise one a channel, and its classes.

        Raises
        ------
        UserError
            Other channels than the images before.
        """
        image = sample.read_image()
        pixels = image.pixels
        kind = (pixels.shape[2], _is_rgb(image))
        self._kind = self._kind or kind
        if kind != self._kind:
            raise UserError(
                f"{sample.image}: {kind[0]} channels of {pixels.dtype}, unlike the images before; nnU-Net needs the "
                "same channels in all images; run `fewstain check` on the dataset"
            )
        planes = [pixels] if kind[1] else [pixels[:, :, channel] for channel in range(kind[0])]
        for channel, plane in enumerate(planes):
            path = self.folder / "imagesTr" / f"{sample.name}_{channel:04d}.tif"
            write_plain(path, plane, sample.pixel_size_um, rgb=kind[1])
        classes = pixel_classes(labels)
        self._thin += sum(
            not (classes[item.y :, item.x :][: item.mask.shape[0], : item.mask.shape[1]][item.mask] == INTERIOR).any()
            for item in each_object(labels)
        )
        write_plain(self.folder / "labelsTr" / f"{sample.name}.tif", classes.astype(np.uint8), sample.pixel_size_um)
        self._count += 1

    def finish(self) -> tuple[str, ...]:
        """Write dataset.json."""
        channels, rgb = self._kind or (1, False)
        names = ["R", "G", "B"] if rgb else [f"channel {index}" for index in range(channels)]
        content = {
            "channel_names": {str(index): name for index, name in enumerate(names)},
            "labels": {"background": BACKGROUND, "border": BOUNDARY, "interior": INTERIOR},
            "numTraining": self._count,
            "file_ending": ".tif",
            "overwrite_image_reader_writer": "NaturalImage2DIO",
        }
        write_json(self.folder / "dataset.json", content)
        told = "instances became the classes background, border and interior, as nnU-Net segments classes only"
        thin = (f"{self._thin} objects are too thin to have an interior, so only their border is there",)
        return (told, *(thin if self._thin else ()))


def stored(labels: np.ndarray) -> np.ndarray:
    """Labels in the dtype of a label file: uint16, or uint32 past 65535."""
    return labels.astype(label_dtype(int(labels.max(initial=0))))


def write_picture(path: Path, sample: Sample) -> None:
    """Write a sample's image as `write_plain` does."""
    image = sample.read_image()
    write_plain(path, image.pixels, sample.pixel_size_um, rgb=_is_rgb(image))


def write_plain(path: Path, pixels: np.ndarray, pixel_size_um: float | None, *, rgb: bool = False) -> None:
    """Write a TIFF that any reader gives back as (H, W) or (H, W, C), with the pixel size as resolution per cm."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    tifffile.imwrite(
        path,
        pixels,
        bigtiff=is_bigtiff(pixels.shape, pixels.dtype),
        photometric="rgb" if rgb else "minisblack",
        planarconfig="contig" if pixels.ndim == 3 else None,
        compression="zlib",
        metadata=None,
        resolution=(1e4 / pixel_size_um, 1e4 / pixel_size_um) if pixel_size_um else None,
        resolutionunit="CENTIMETER" if pixel_size_um else None,
    )


def _is_rgb(image: Image) -> bool:
    return is_rgb(image.pixels.shape[2], image.pixels.dtype, image.rgb)
