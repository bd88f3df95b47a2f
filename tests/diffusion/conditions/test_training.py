import shutil

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fewstain.diffusion.conditions import training
from fewstain.diffusion.conditions.network import load_conditional
from fewstain.diffusion.conditions.opening import cut_windows, open_guided, read_like
from fewstain.diffusion.conditions.record import read_conditional_record
from fewstain.diffusion.conditions.training import train_few_shot, train_words
from fewstain.diffusion.sampling import sample
from fewstain.errors import UserError
from fewstain.evaluate.realism import distances

from .conftest import TINY, make_colours, make_section, make_spots


def windows(folder, image, channels, n=9):
    """Windows of one image that share no pixel."""
    return cut_windows(read_like(folder, channels, 32, [image]), n, 32, np.random.default_rng(0))


def colours(images):
    """Mean of each channel, (n, C)."""
    return images.mean(dim=(2, 3)).numpy()


def test_a_classifier_of_real_crops_tells_the_stains_that_words_ask_for(words_model):
    stains = ("spots", "section")
    real = [
        torch.cat([windows(words_model, path, 3) for path in sorted((words_model / stain / "images").iterdir())])
        for stain in stains
    ]
    classifier = make_pipeline(StandardScaler(), LogisticRegression())
    classifier.fit(colours(torch.cat(real)), np.repeat([0, 1], list(map(len, real))))
    for number, words in enumerate(("DAPI, heart, 20x", "H&E, colon", "dapi")):
        guided, _ = open_guided(words_model / "out", words=words)
        painted = sample(guided, 16, (32, 32), steps=10, seed=0)
        told = classifier.predict(colours(painted))
        assert (told == number % 2).mean() >= 0.9, words
    guided, _ = open_guided(words_model / "out")
    told = classifier.predict(colours(sample(guided, 32, (32, 32), steps=10, seed=0)))
    assert 0 < told.mean() < 1  # without words it paints both


def test_samples_are_nearer_to_the_image_shown_than_to_another(few_shot_model):
    paths = sorted((few_shot_model / "held" / "images").iterdir())
    crops = [windows(few_shot_model, path, 3) for path in paths]
    crops = [each[TINY.set_size :] for each in crops]  # the first are those that are shown
    nearer = []
    for number, path in enumerate(paths):
        guided, _ = open_guided(few_shot_model / "out", like=[path])
        found = distances(sample(guided, 8, (32, 32), steps=10, seed=0), crops)
        nearer += [found[number] < other for other in found[:number] + found[number + 1 :]]
    assert np.mean(nearer) >= 0.8


def test_what_is_written(words_model):
    out = words_model / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        "encoder.json",
        "encoder.safetensors",
        "fewstain.json",
        "loss.csv",
        "samples.png",
        "scheduler",
        "stem.json",
        "unet",
    ]
    record = read_conditional_record(out)
    assert [(stain.name, stain.channels, stain.dtype, len(stain.pool)) for stain in record.stains] == [
        ("spots", 1, "uint16", 3),
        ("section", 3, "uint8", 2),
    ]
    assert record.stains[0].words == ("dapi", "heart", "20x")
    assert record.image_channels == 3
    assert load_conditional(out).encoder.vocabulary == ("20x", "colon", "dapi", "h&e", "heart")
    losses = np.loadtxt(out / "loss.csv", delimiter=",", skiprows=1)[:, 1]
    assert losses[-40:].mean() < 0.7 * losses[:5].mean()
    assert not list((words_model / "state").rglob("*.f16"))


@pytest.mark.parametrize("kind", ["words", "few-shot"])
def test_stopped_and_gone_on_with_it_ends_with_the_same_weights(tmp_path, monkeypatch, kind):
    train = {"words": train_words, "few-shot": train_few_shot}[kind]
    settings = TINY.model_copy(update={"steps": 9, "checkpoint_seconds": 0, "batch_size": 2})
    datasets = [make_spots(tmp_path / "spots"), make_section(tmp_path / "section")]
    train(datasets, tmp_path / "straight", tmp_path / "state-1", settings)
    loss = training.conditional_loss
    steps = 0

    def dying(*arguments):
        nonlocal steps
        steps += 1
        if steps == 5:
            raise MemoryError  # whatever ends a process: the state of the last step lies in its file
        return loss(*arguments)

    monkeypatch.setattr(training, "conditional_loss", dying)
    with pytest.raises(MemoryError):
        train(datasets, tmp_path / "stopped", tmp_path / "state-2", settings)
    assert not (tmp_path / "stopped").exists()
    train(datasets, tmp_path / "stopped", tmp_path / "state-2", settings)
    assert steps == 5 + 5  # steps 5 to 9, the fifth for the second time
    for name in ("unet/diffusion_pytorch_model.safetensors", "encoder.safetensors", "loss.csv", "samples.png"):
        content = (tmp_path / "straight" / name).read_bytes()
        assert (tmp_path / "stopped" / name).read_bytes() == content, name


def test_changes_are_told_and_restart_forgets(tmp_path):
    settings = TINY.model_copy(update={"steps": 1, "samples": 0})
    datasets = [make_spots(tmp_path / "spots"), make_section(tmp_path / "section")]
    folders = (tmp_path / "out", tmp_path / "state")
    train_words(datasets, *folders, settings)
    (tmp_path / "section" / "words.txt").write_text("trichrome")
    with pytest.raises(UserError, match=r"words of section was h&e colon, is trichrome.*delete the folder"):
        train_words(datasets, *folders, settings)
    shutil.copy(tmp_path / "spots" / "images" / "0.tif", tmp_path / "spots" / "images" / "new.tif")
    with pytest.raises(UserError, match=r"data sets was \['spots', 'section'\], is \['spots'\]"):
        train_words(datasets[:1], *folders, settings)
    train_words(datasets, *folders, settings, restart=True)
    assert load_conditional(tmp_path / "out").encoder.vocabulary == ("20x", "dapi", "heart", "trichrome")


@pytest.mark.parametrize(
    ("train", "change", "told"),
    [
        (train_words, {"crop": 30}, "conditions.crop is 30; this network needs a multiple of 4"),
        (train_few_shot, {"crop": 24}, "conditions.crop is 24; a set's images are cut into patches of 16 pixels"),
        (train_few_shot, {"crop": 64}, "colours: no image has room for two windows of 64 x 64"),
    ],
)
def test_crops_that_cannot_be_are_told(tmp_path, train, change, told):
    dataset = make_colours(tmp_path / "colours")
    (tmp_path / "colours" / "words.txt").write_text("noise")
    with pytest.raises(UserError, match=told):
        train([dataset], tmp_path / "out", tmp_path / "state", TINY.model_copy(update=change | {"steps": 1}))
    assert not (tmp_path / "out").exists()


def test_data_sets_need_words_and_names_of_their_own(tmp_path):
    spots = make_spots(tmp_path / "spots", words=" ,\n")
    folders = (tmp_path / "out", tmp_path / "state")
    with pytest.raises(UserError, match=r"words\.txt: holds no words; write its stain"):
        train_words([spots], *folders, TINY)
    (tmp_path / "spots" / "words.txt").unlink()
    with pytest.raises(UserError, match=r"words\.txt: no such file.*write its stain"):
        train_words([spots], *folders, TINY)
    with pytest.raises(UserError, match="a second data set called 'spots'"):
        train_few_shot([spots, make_spots(tmp_path / "other" / "spots")], *folders, TINY)
