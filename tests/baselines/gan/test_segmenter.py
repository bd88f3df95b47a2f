from dataclasses import replace

import numpy as np
import pytest
import torch

from fewstain.baselines.gan import segmenter as module
from fewstain.baselines.gan.projection import cut_crops, project
from fewstain.baselines.gan.segmenter import DatasetGanSegmenter
from fewstain.baselines.presets import UNetSettings
from fewstain.pixels.consensus import Consensus
from fewstain.pixels.labeled_window import label_window
from fewstain.settings import PixelSettings

SMALL = UNetSettings(features=(8, 8, 8, 8, 8, 8), batch_size=2)
FEW = PixelSettings(steps=5, members=2, table_pixels=2000, batch_pixels=64, components=2)


def window(side, corner=(4, 4)):
    labels = np.zeros((side, side), np.int32)
    labels[2:10, 3:12] = 1
    image = np.random.default_rng(0).uniform(-1, 1, (1, 80, 80)).astype(np.float32)
    return label_window(image, labels, corner, f"w{side}", "a", 1)


def test_a_window_becomes_crops_that_cover_it():
    whole = window(40)
    crops = cut_crops(whole, 32)
    assert len(crops) == 4
    rows, columns = whole.inside
    assert torch.equal(crops[3].image, whole.image[:, rows, columns][:, 8:, 8:])
    assert np.array_equal(crops[3].targets.distance, whole.targets.distance[8:, 8:])
    assert crops[3].source_rows[0, 0] == 12  # in the image


def test_a_smaller_window_is_continued_and_its_own_pixels_alone_are_labeled():
    (crop,) = cut_crops(window(20), 32)
    assert crop.image.shape == (1, 32, 32)
    assert crop.labels.shape == crop.targets.classes.shape == (20, 20)
    assert torch.equal(crop.image[:, 20], crop.image[:, 19])


def test_projection_comes_nearer_to_what_was_painted(noisy_gan):
    noise = noisy_gan.generator.noise_of([3, 4])
    with torch.no_grad():
        wanted, _ = noisy_gan.generator(noisy_gan.draw(2, torch.Generator().manual_seed(5)), noise)

    def error(steps):
        with torch.no_grad():
            return (noisy_gan.generator(project(noisy_gan, wanted, [3, 4], steps), noise)[0] - wanted).square().mean()

    assert error(40) < 0.5 * error(0)
    # each by itself, however many go together
    both, one = project(noisy_gan, wanted, [3, 4], 3), project(noisy_gan, wanted[1:], [4], 3)
    torch.testing.assert_close(both[1:], one, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("annotated", [True, False])
def test_features_are_of_the_image_that_was_labeled_and_noisy_as_those_of_pairs(noisy_gan, annotated):
    painted = []
    noisy_gan.generator.register_forward_hook(lambda _, inputs, outputs: painted.append((inputs[0], outputs[0])))
    annotate = (lambda image: (image[0] > 0).astype(np.int32)) if annotated else None
    few = FEW.model_copy(update={"decoder_trials": 1})
    DatasetGanSegmenter(
        noisy_gan, few, {"steps": 1}, pairs=2, projection_steps=0, annotate=annotate, unet_settings=SMALL
    ).fit([window(32)])
    noisy_gan.generator._forward_hooks.clear()
    images = {}
    for latents, image in painted:
        assert torch.equal(images.setdefault(latents.numpy().tobytes(), image), image)
        with torch.no_grad():
            assert not torch.allclose(noisy_gan.generator(latents)[0], image)
    assert len(images) == (24 if annotated else 1) + 2


def test_pairs_are_painted_labeled_filtered_and_learned_from(gan, monkeypatch):
    calls = []
    real = module.project
    monkeypatch.setattr(module, "project", lambda *arguments: calls.append(1) or real(*arguments))
    shared = {}
    options = {"pairs": 10, "projection_steps": 1, "projected": shared}
    fitted = DatasetGanSegmenter(gan, FEW, {"steps": 1}, **options).fit([window(32)])
    assert fitted.kept == 9  # of ten, without the most uncertain
    assert fitted.predict(np.zeros((1, 32, 48), np.float32)).distance.shape == (1, 32, 48)
    DatasetGanSegmenter(gan, FEW, {"steps": 1}, **options).fit([window(32)])
    assert len(calls) == 1  # the folds share what depends on no label
    assert len(shared) == 1


def test_painted_images_are_decoded_as_held_out_crops_say(gan, monkeypatch):
    held, decoders = [], []
    choose, decode = module.choose_decoder, module.decode_maps

    def choosing(held_out, *arguments):
        held.append([(window.name, tuple(maps.distance.shape)) for window, maps in held_out.some()])
        return choose(held_out, *arguments)

    monkeypatch.setattr(module, "choose_decoder", choosing)
    monkeypatch.setattr(module, "decode_maps", lambda maps, decoder: decoders.append(decoder) or decode(maps, decoder))
    settings = FEW.model_copy(update={"folds": 2, "decoder_trials": 3, "decoders": 2})
    windows = [replace(window(20), name=name, group=name) for name in "abc"]
    DatasetGanSegmenter(gan, settings, {"steps": 1}, pairs=2, projection_steps=1).fit(windows)
    assert held == [[("a+0+0", (1, 20, 20)), ("b+0+0", (1, 20, 20)), ("c+0+0", (1, 20, 20))]]
    assert len(decoders) == 2
    assert all(isinstance(each, Consensus) for each in decoders)


def test_the_segmenter_sees_pairs_by_a_share_and_no_window_twice(gan, monkeypatch):
    seen = []
    monkeypatch.setattr(
        module.UNetSegmenter, "fit", lambda self, windows, pairs, share: seen.append((len(windows), len(pairs), share))
    )
    DatasetGanSegmenter(gan, FEW, {"steps": 1}, pairs=10, projection_steps=1).fit([window(32)])
    annotate = lambda image: (image[0] > 0).astype(np.int32)  # noqa: E731
    few = FEW.model_copy(update={"decoder_trials": 1})
    DatasetGanSegmenter(gan, few, {"steps": 1}, pairs=10, annotate=annotate).fit([window(32)])
    assert seen == [(1, 9, 0.5), (0, 9, 1.0)]


def test_an_annotator_labels_generated_images_instead(gan, monkeypatch):
    seen = []

    def annotate(image):
        seen.append(image.shape)
        return (image[0] > 0).astype(np.int32)

    monkeypatch.setattr(module, "project", lambda *arguments: pytest.fail("no window is projected"))
    DatasetGanSegmenter(gan, FEW, {"steps": 1}, pairs=2, annotate=annotate).fit([window(32)])
    assert seen == [(1, 32, 32)] * 24
