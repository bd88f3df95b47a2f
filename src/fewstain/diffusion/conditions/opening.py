"""A conditional denoiser's folder and what a user wants painted -> a denoiser with that condition bound."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from accelerate.state import PartialState
from torch import Tensor

from fewstain.description import split_words
from fewstain.diffusion.conditions.image_set import SetEncoder
from fewstain.diffusion.conditions.network import (
    ConditionalDenoiser,
    Guided,
    is_conditional,
    load_conditional,
    unconditional,
)
from fewstain.diffusion.conditions.record import ConditionalRecord, read_conditional_record
from fewstain.diffusion.conditions.stains import repeat_grey
from fewstain.diffusion.conditions.words import WordEncoder
from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.pictures import Picture, open_denoiser, read_picture
from fewstain.diffusion.pool import disjoint_windows
from fewstain.diffusion.record import DenoiserRecord
from fewstain.errors import UserError
from fewstain.images.normalise import fit_normaliser
from fewstain.images.read import are_rgb, read_image, stem


def open_conditional(folder: Path) -> tuple[ConditionalDenoiser, ConditionalRecord]:
    """Read a denoiser that takes conditions and its record, the denoiser on the device to compute on.

    Raises
    ------
    UserError
        If the folder holds none, or its weights are damaged or not its own.
    """
    denoiser = load_conditional(folder)
    return denoiser.to(PartialState().device), read_conditional_record(folder)


def open_guided(
    folder: Path,
    *,
    words: str | None = None,
    like: Sequence[Path] = (),
    guidance_scale: float = 1.0,
    seed: int = 0,
) -> tuple[Guided, ConditionalRecord]:
    """Read a denoiser and bind its condition.

    Parameters
    ----------
    folder
        Where `train_words` or `train_few_shot` wrote.
    words
        For a denoiser of words: what to paint, as in a data set's words.txt, or a part of it.
    like
        For a denoiser of images: files of what to paint.
    guidance_scale
        See `Guided`. With neither words nor images nothing is bound, and it has no effect.
    seed
        Of the places where windows are cut from the images.

    Raises
    ------
    UserError
        Words for a denoiser of images, or images for one of words; unknown words; images that are unreadable, too
        small or of another number of channels; a scale below 0.
    """
    denoiser, record = open_conditional(folder)
    if words is not None and like:
        raise UserError("--words and --like: a denoiser takes one of the two; leave the other out")
    if words is not None:
        tokens = word_tokens(denoiser, folder, words)
    elif like:
        tokens = set_tokens(denoiser, folder, record, like, seed)
    else:
        return unconditional(denoiser), record
    return Guided(denoiser, tokens, guidance_scale), record


def open_painter(
    folder: Path,
    *,
    adapter: Path | None = None,
    words: str | None = None,
    like: Sequence[Path] = (),
    guidance_scale: float | None = None,
    seed: int = 0,
) -> tuple[Denoiser, DenoiserRecord | ConditionalRecord]:
    """Read a denoiser of any kind, with what it is to be told bound to it, and its record.

    Parameters
    ----------
    folder, adapter
        As of `open_denoiser`.
    words, like, guidance_scale, seed
        As of `open_guided`; a scale of None is 1.

    Returns
    -------
    denoiser, record
        On the device to compute on; the adapter's record where there is one.

    Raises
    ------
    UserError
        As of both; something to follow, where the denoiser takes nothing, or an adapter, where it takes conditions; a
        scale without anything to scale.
    """
    wishes = {"--words": words is not None, "--like": bool(like), "--guidance-scale": guidance_scale is not None}
    asked = [option for option, given in wishes.items() if given]
    if is_conditional(folder):
        if adapter is not None:
            raise UserError(f"--adapter: the denoiser in {folder} takes conditions, and no adapters; leave it out")
        if asked == ["--guidance-scale"]:
            raise UserError("--guidance-scale: there is nothing to be guided by; give --words or --like too")
        scale = 1.0 if guidance_scale is None else guidance_scale
        return open_guided(folder, words=words, like=like, guidance_scale=scale, seed=seed)
    found = open_denoiser(folder, adapter, latent=True)
    if asked:
        raise UserError(
            f"{asked[0]}: the denoiser in {folder} takes no conditions; leave it out, or give one that train-words or "
            "train-few-shot made"
        )
    return found


def read_painting(folder: Path, record: DenoiserRecord | ConditionalRecord, path: Path) -> Picture:
    """Read an image file for a denoiser of any kind; one for several stains takes it as a stain of its own.

    Parameters
    ----------
    folder
        Of the denoiser, or of its adapter, where the record is the adapter's.
    record
        As of `open_painter`.
    path
        For several stains, a grey image is repeated in all channels.

    Raises
    ------
    UserError
        If it is unreadable, or has other channels than the denoiser's images.
    """
    if isinstance(record, DenoiserRecord):
        return read_picture(folder, record, path)
    image = read_image(path)
    check_channels(folder, record.image_channels, path, image.pixels)
    raw = np.broadcast_to(image.pixels, (*image.pixels.shape[:2], record.image_channels))
    normaliser = fit_normaliser([raw], rgb=image.rgb or image.pixels.shape[-1] == 1)  # a grey one stays grey
    limits = normaliser.range(raw)
    planes = torch.from_numpy(normaliser.apply(raw, limits))[None]
    return Picture(stem(path), raw, limits, planes, normaliser, image.pixel_size_um)


def check_channels(folder: Path, image_channels: int, path: Path, pixels: np.ndarray) -> None:
    """Raise UserError where an image, (H, W, C), has neither the channels of the denoiser's images nor one."""
    channels = pixels.shape[-1]
    if channels not in (1, image_channels):
        takes = "1 channel" if image_channels == 1 else f"{image_channels} channels, or grey ones"
        raise UserError(f"{path}: {channels} channels, but the denoiser in {folder} takes images of {takes}")


def word_tokens(denoiser: ConditionalDenoiser, folder: Path, words: str) -> Tensor:
    """(1, slots, D) tokens of words, written as in words.txt."""
    encoder = denoiser.encoder
    if not isinstance(encoder, WordEncoder):
        raise UserError(f"--words: the denoiser in {folder} was trained without words; show it images with --like")
    try:
        numbers = encoder.numbers(split_words(words))
    except UserError as fault:
        raise UserError(f"--words {words!r}: {fault}") from fault
    with torch.no_grad():
        return encoder(torch.tensor([numbers], device=denoiser.device))


def set_tokens(
    denoiser: ConditionalDenoiser, folder: Path, record: ConditionalRecord, like: Sequence[Path], seed: int
) -> Tensor:
    """(1, L, D) tokens of windows cut from image files."""
    encoder = denoiser.encoder
    if not isinstance(encoder, SetEncoder):
        raise UserError(f"--like: the denoiser in {folder} was trained on words, not images; tell it --words")
    images = read_like(folder, record.image_channels, encoder.side, like)
    windows = cut_windows(images, int(record.settings["set_size"]), encoder.side, np.random.default_rng(seed))
    with torch.no_grad():
        return encoder(windows[None].to(denoiser.device))


def read_like(folder: Path, image_channels: int, side: int, paths: Sequence[Path]) -> list[Tensor]:
    """Read (C, H, W) images in [-1, 1], normalised as a data set of their own; grey ones are repeated where C is 3.

    Raises
    ------
    UserError
        If they are unreadable, of several kinds, of another number of channels, or smaller than side x side.
    """
    pixels = [read_image(path).pixels for path in paths]
    for path, image in zip(paths, pixels, strict=True):
        check_channels(folder, image_channels, path, image)
        channels = image.shape[-1]
        if (channels, image.dtype) != (pixels[0].shape[-1], pixels[0].dtype):
            raise UserError(
                f"{path}: {channels} channels of {image.dtype}, but {paths[0]} has {pixels[0].shape[-1]} of "
                f"{pixels[0].dtype}; give images of one stain, of one kind"
            )
        if min(image.shape[:2]) < side:
            raise UserError(f"{path}: {image.shape[0]} x {image.shape[1]} pixels; {side} x {side} at least are needed")
    normaliser = fit_normaliser(pixels, rgb=are_rgb(paths))
    return [repeat_grey(torch.from_numpy(normaliser.apply(image)), image_channels) for image in pixels]


def cut_windows(images: Sequence[Tensor], n: int, side: int, random: np.random.Generator) -> Tensor:
    """Cut (m, C, side, side) windows that share no pixel, from (C, H, W) images in turn: n of them and one of each."""
    windows: list[list[Tensor]] = []
    for image in images:
        height, width = image.shape[1:]
        cells = (height // side) * (width // side)
        corners = disjoint_windows(height, width, cells, side, random).tolist()
        windows.append([image[:, top : top + side, left : left + side] for top, left in corners])
    turns = [each[k] for k in range(max(map(len, windows))) for each in windows if k < len(each)]
    return torch.stack(turns[: max(n, len(images))])
