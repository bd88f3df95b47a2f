from dataclasses import replace

import numpy as np
import pytest
import torch

from fewstain.pixels.choose import (
    FeatureChoice,
    LabeledFeatures,
    candidate_choices,
    compare_choices,
    fit_final,
    predict_held_out,
    train_folds,
    tune_winners,
)
from fewstain.pixels.folds import assign_folds
from fewstain.pixels.labeled_window import label_window
from fewstain.pixels.table import sample_table, window_projection
from fewstain.settings import PixelSettings

SETTINGS = PixelSettings(
    members=2,
    hidden=(8, 8),
    steps=60,
    learning_rate=0.03,
    batch_pixels=64,
    views=1,
    table_pixels=1600,
    dropout=0,
    decoder_trials=2,
)
BLOCKS = ("coarse", "fine")


class BrightnessThenNoise:
    """A map of filters, a useful one for (1, "coarse"), and noise for the other three."""

    multiple = 1

    def maps(self, images, origin=(0, 0), draw=0):
        generator = torch.Generator().manual_seed(draw)
        return [images * 0, images, *(torch.randn(images.shape, generator=generator) for _ in range(3))]


@pytest.fixture(scope="module")
def features():
    windows = []
    for index in range(3):
        labels = np.zeros((32, 32), np.int32)
        labels[6:14, 6 + index : 14 + index], labels[18:28, 10:20] = 1, 2
        image = np.where(labels > 0, 0.8, -0.8)[None].astype(np.float32)
        windows.append(label_window(image, labels, (0, 0), f"w{index}", f"w{index}", 1))
    extractor, rng = BrightnessThenNoise(), np.random.default_rng(0)
    projection = window_projection(extractor, windows, 0, rng)
    table = sample_table(extractor, projection, windows, views=1, pixels_per_window=200, rng=rng)
    maps = [projection.apply(extractor.maps(window.image[None])) for window in windows]
    keys = [None, *((timestep, block) for timestep in (1, 9) for block in BLOCKS)]
    return LabeledFeatures(windows, assign_folds(windows, 3), projection, table, maps, keys, 3)


def test_what_is_compared():
    assert candidate_choices((1, 9), ("a", "b", "c")) == [
        FeatureChoice((1, 9), ("a", "b", "c")),
        FeatureChoice((1,), ("a", "b", "c")),
        FeatureChoice((9,), ("a", "b", "c")),
        FeatureChoice((1, 9), ("b", "c")),
        FeatureChoice((1, 9), ("a",)),
    ]
    assert len(candidate_choices((1,), ("a", "b"))) == 3


def test_maps_and_columns_of_a_choice(features):
    assert features.maps_of(FeatureChoice((1, 9), BLOCKS)) == [0, 1, 2, 3, 4]
    assert features.maps_of(FeatureChoice((9,), ("fine",))) == [0, 4]
    assert features.columns_of(FeatureChoice((1, 9), ("coarse",))).tolist() == [0, 1, 3]


def held_out_maps(features, choice):
    return predict_held_out(features, choice, train_folds(features, choice, SETTINGS, 0))


def test_held_out_maps_are_of_the_window_alone(features):
    maps = held_out_maps(features, FeatureChoice((1,), ("coarse",)))
    for found, window in zip(maps, features.windows, strict=True):
        assert found.probabilities.shape == (1, 3, *window.labels.shape)
        foreground = 1 - found.probabilities[0, 0].numpy()
        assert ((foreground > 0.5) == (window.labels > 0)).mean() > 0.97


def test_a_window_does_not_teach_its_own_ensemble(features):
    choice = FeatureChoice((1,), ("coarse",))
    own = features.table.window == 1
    classes = features.table.classes.clone()
    classes[own] = 2 - classes[own]
    poisoned = LabeledFeatures(
        **(vars(features) | {"table": type(features.table)(**(vars(features.table) | {"classes": classes}))})
    )
    before, after = (held_out_maps(each, choice) for each in (features, poisoned))
    assert torch.equal(before[1].probabilities, after[1].probabilities)
    assert not torch.equal(before[0].probabilities, after[0].probabilities)


def test_the_useful_features_win(features):
    steps = []
    choices = [FeatureChoice((9,), BLOCKS), FeatureChoice((1,), ("coarse",))]
    noise, useful = compare_choices(features, choices, SETTINGS, 0, lambda: steps.append(1))
    assert useful.score() > noise.score()
    assert len(steps) == 2
    row = useful.row(True)
    assert (row["timesteps"], row["blocks"], row["chosen"]) == ([1], ["coarse"], True)
    assert row["AP50"] > 0.9


def test_winners_are_tuned_on_held_out_views_too(features):
    asked = []

    def project(view):
        asked.append(view.name)
        return features.projection.apply(BrightnessThenNoise().maps(view.image[None]))

    views = [window.turned(turns, False) for turns in (1, 2) for window in features.windows]
    with_views = replace(features, views=views, project=project)
    choices = [FeatureChoice((1,), ("coarse",)), FeatureChoice((9,), BLOCKS)]
    candidates = compare_choices(with_views, choices, SETTINGS, 0)
    useful, noise = tune_winners(with_views, candidates)
    assert noise is candidates[1]
    assert asked == ["w0", "w1", "w2"] * 2  # each view once, however many folds there are
    assert useful.trials is candidates[0].trials
    assert useful.on_views.counts.shape == useful.trials.counts.shape
    assert useful.on_views.average_precision()[:, 0].max() > 0.9
    objects = useful.on_views.counts[0, :, 0, [0, 2]].sum()
    assert objects == 2 * useful.trials.counts[0, :, 0, [0, 2]].sum()
    best = useful.decoder_trials.parameters[useful.decoder_trials.best()]
    assert useful.decoder(1).decoders == (best,)
    assert useful.decoder(2).decoders == useful.decoder_trials.best_sets(2)
    assert useful.seen.views is views
    assert [each.distance.shape for each in useful.seen.view_maps] == [(1, *each.labels.shape) for each in views]
    assert tune_winners(features, candidates) == candidates  # no views: nothing more to try


def test_the_final_ensemble_takes_raw_maps_of_the_choice(features):
    ensemble = fit_final(features, FeatureChoice((1,), ("coarse",)), SETTINGS, 0)
    window = features.windows[0]
    found = ensemble.predict([window.image[None] * 0, window.image[None]], (32, 32))
    assert ensemble.members == 2
    assert ((found.probabilities[0, 0].numpy() < 0.5) == (window.labels > 0)).mean() > 0.97
