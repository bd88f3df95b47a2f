"""Limits chosen by a model that finds what an image shows, and by images that show some of four labeled objects."""

from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from fewstain.dataset import open_dataset
from fewstain.pairs.limits import Asked, agreement_limit, choose_limits

SHOWN = (4, 2, 3, 1)  # of four objects, in images a to d
FOUND = [1, 2 / 3, 3 / 3.5, 1 / 2.5]  # panoptic quality: shown / (shown + missed / 2)
POOL = SimpleNamespace(typical_distance=lambda: 2.0, typical_copy=lambda: 0.9)
FACTS = SimpleNamespace(most_covered=0.3)
NOTHING = Asked()


def fake_model(n_labels=4, **out_of_fold):
    return SimpleNamespace(
        record=SimpleNamespace(n_labels=n_labels, out_of_fold=out_of_fold),
        segment=lambda pixels: SimpleNamespace(labels=pixels[..., 0].astype(np.int32)),
    )


def limits(asked=NOTHING, **given):
    return choose_limits(asked, **({"model": None, "dataset": None, "likeness": None, "facts": None} | given))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Four images with one labeled window each, in its middle."""
    folder = tmp_path_factory.mktemp("dataset")
    labels = np.zeros((16, 16), np.uint8)
    for number, (row, column) in enumerate(((2, 2), (2, 9), (9, 2), (9, 9)), start=1):
        labels[row : row + 4, column : column + 4] = number
    for part in ("images", "labels"):
        (folder / part).mkdir()
    for name, shown in zip("abcd", SHOWN, strict=True):
        image = np.pad(np.where(labels <= shown, labels, 0), 8, constant_values=9)
        tifffile.imwrite(folder / "images" / f"{name}.tif", image.astype(np.uint8))
        tifffile.imwrite(folder / "labels" / f"{name}__y8_x8.tif", labels)
    return open_dataset(folder)


@pytest.mark.parametrize(("out_of_fold", "ratio"), [({}, 1), ({"PQ": 0.5}, 0.5 / np.mean(FOUND)), ({"PQ": 0.99}, 1)])
def test_agreement_is_the_worse_quarter_lowered_by_what_is_lost_out_of_fold(dataset, out_of_fold, ratio):
    expected = np.quantile(FOUND, 0.25) * ratio
    assert agreement_limit(fake_model(**out_of_fold), dataset.windows) == pytest.approx(expected)
    assert limits(model=fake_model(**out_of_fold), dataset=dataset, layout=True).agreement == pytest.approx(expected)


def test_agreement_is_asked_of_the_windows_that_the_model_learned_from(dataset):
    found = limits(model=fake_model(n_labels=2), dataset=dataset, layout=True)
    assert found.agreement == pytest.approx(np.quantile(FOUND[:2], 0.25))


def test_a_model_that_finds_nothing_right_asks_for_nothing(dataset):
    blind = fake_model(PQ=0.5)
    blind.segment = lambda pixels: SimpleNamespace(labels=np.zeros(pixels.shape[:2], np.int32))
    assert agreement_limit(blind, dataset.windows) == 0


@pytest.mark.parametrize(
    ("model", "windows", "layout"), [(None, 4, True), (fake_model(), 0, True), (fake_model(), 4, False)]
)
def test_no_agreement_is_asked_for_without_model_or_windows_or_layout(dataset, model, windows, layout):
    some = SimpleNamespace(windows=dataset.windows[:windows])
    assert limits(model=model, dataset=some, layout=layout).agreement == 0


def test_the_others_come_from_the_pool_and_the_layouts():
    found = limits(likeness=POOL, facts=FACTS, layout=True)
    assert (found.distance, found.copy, found.covered, found.keep) == pytest.approx((6.0, 0.95, 0.45, 1.0))
    found = limits(layout=False)
    assert (found.distance, found.copy, found.covered, found.keep) == (np.inf, 1.0, 1.0, 0.5)


def test_what_the_user_asks_for_wins(dataset):
    found = limits(
        Asked(agreement=0.1, distance=5.0, keep=0.3),
        model=fake_model(),
        dataset=dataset,
        likeness=POOL,
        facts=FACTS,
        layout=True,
    )
    assert (found.agreement, found.distance, found.keep) == (0.1, 5.0, 0.3)
