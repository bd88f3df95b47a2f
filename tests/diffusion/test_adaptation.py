import json
import shutil

import numpy as np
import pytest
import tifffile
import torch
from safetensors.torch import load_file, save_file
from scipy.ndimage import gaussian_filter

from fewstain.cli import run as cli
from fewstain.dataset import open_dataset
from fewstain.diffusion.adaptation import adapt
from fewstain.diffusion.adapter import ADAPTER_FILE, load_adapter, read_adapter_record
from fewstain.diffusion.inversion import invert
from fewstain.diffusion.lora import adapter_off, merge_adapter
from fewstain.diffusion.network import WEIGHTS, load_denoiser
from fewstain.diffusion.noise_file import read_noise
from fewstain.diffusion.pictures import open_denoiser, read_picture
from fewstain.diffusion.sampling import sample
from fewstain.diffusion.state import Training, read_state
from fewstain.diffusion.training import train_diffusion
from fewstain.diffusion.variation import branch, outcome_variance
from fewstain.errors import UserError
from fewstain.evaluate.realism import realism
from fewstain.settings import DiffusionSettings
from fewstain.storage import sha256_file
from fewstain.toolbox import Target

SETTINGS = DiffusionSettings(
    unshuffle=4,
    channels=(16,),
    attention=(0,),
    prediction="v_prediction",
    crop=16,
    batch_size=8,
    steps=200,
    learning_rate=1e-2,
    warmup_steps=10,
    ema_decay=0.9,
    samples=2,
    sample_steps=2,
)


def make_dataset(folder, *, bright, channels=1):
    """Write soft spots: bright ones on dark, as of fluorescence, or dark ones on bright, as of a stained section."""
    images = folder / "images"
    images.mkdir(parents=True)
    generator = np.random.default_rng(int(bright))
    for number in range(4):
        spots = gaussian_filter((generator.random((64, 64, channels)) < 0.01).astype(float), (2, 2, 0))
        shown = 1 - spots / spots.max() if bright else spots / spots.max()
        tifffile.imwrite(images / f"{number}.tif", np.squeeze(shown * 60000).astype(np.uint16))
    return open_dataset(folder)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Folder with a denoiser of dark images, dark/, and the images of another stain, bright/."""
    folder = tmp_path_factory.mktemp("adaptation")
    train_diffusion(make_dataset(folder / "data", bright=False), folder / "dark", folder / "state", SETTINGS)
    make_dataset(folder / "bright", bright=True)
    return folder


@pytest.fixture(scope="module")
def adapter(base):
    """Folder of an adapter of that denoiser to these images."""
    adapt(base / "dark", open_dataset(base / "bright"), base / "adapter", rank=4, steps=150, learning_rate=1e-2)
    return base / "adapter"


def paint(denoiser, n=4, size=(16, 16), steps=10):
    return sample(denoiser, n, size, steps=steps, seed=0)


@pytest.mark.parametrize("target", Target)
def test_samples_move_towards_the_new_stain(base, adapter, tmp_path, target):
    if target is not Target.all:
        adapter = tmp_path / "adapter"
        wishes = {"steps": 150, "learning_rate": 3e-2, "target": target}
        adapt(base / "dark", open_dataset(base / "bright"), adapter, **wishes)
    denoiser, record = open_denoiser(base / "dark", adapter)
    before = paint(open_denoiser(base / "dark")[0], 32)
    after = paint(denoiser, 32)
    real = [
        torch.from_numpy(record.normaliser.apply(tifffile.imread(path)[..., None])[:, y : y + 16, x : x + 16])
        for path in open_dataset(base / "bright").images
        for y in range(0, 64, 16)
        for x in range(0, 64, 16)
    ]
    real = torch.stack(real)
    assert before.mean() < -0.3
    assert after.mean() > 0.1
    distance_before, distance = realism(before, real), realism(after, real)
    assert distance.frechet < distance_before.frechet / 4
    assert distance.mmd < distance_before.mmd / 4


def test_the_base_stays_as_it_is_and_the_adapter_names_it(base, adapter, tmp_path):
    shutil.copytree(base / "dark", tmp_path / "dark")
    before = {path: sha256_file(path) for path in (tmp_path / "dark").rglob("*") if path.is_file()}
    adapt(tmp_path / "dark", open_dataset(base / "bright"), tmp_path / "adapter", steps=2)
    assert {path: sha256_file(path) for path in (tmp_path / "dark").rglob("*") if path.is_file()} == before
    record = read_adapter_record(tmp_path / "adapter")
    assert record.base_sha256 == sha256_file(base / "dark" / "unet" / WEIGHTS)
    assert (record.rank, record.target, record.steps, record.image_channels) == (1, "all", 2, 1)
    assert {path.name for path in tmp_path.iterdir()} == {"dark", "adapter"}
    assert {path.name for path in adapter.iterdir()} == {ADAPTER_FILE, "fewstain.json", "loss.csv", "samples.png"}


def test_off_it_paints_as_the_base_bit_for_bit_and_merged_as_unmerged(base, adapter):
    denoiser = load_denoiser(base / "dark")
    before = paint(denoiser)
    load_adapter(denoiser, base / "dark", adapter)
    adapted = paint(denoiser)
    with adapter_off(denoiser):
        assert torch.equal(paint(denoiser), before)
    assert not torch.allclose(adapted, before, atol=0.1)
    frozen = {name: tensor for name, tensor in denoiser.unet.state_dict().items() if ".lora_" not in name}
    for name, tensor in load_denoiser(base / "dark").unet.state_dict().items():
        place, _, kind = name.rpartition(".")
        kept = frozen.get(f"{place}.base_layer.{kind}", frozen.get(name))
        assert torch.equal(kept, tensor), name
    merge_adapter(denoiser)
    torch.testing.assert_close(paint(denoiser), adapted, atol=1e-4, rtol=0)


def test_the_same_seed_gives_the_same_adapter(base, tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        adapt(base / "dark", open_dataset(base / "bright"), tmp_path / name, steps=2, rank=1, seed=seed)
    files = [(tmp_path / name / ADAPTER_FILE).read_bytes() for name in "abc"]
    assert files[0] == files[1] != files[2]


@pytest.mark.parametrize("target", [Target.attention, Target.keys_values])
def test_attention_alone_can_be_adapted(base, tmp_path, target):
    """From the training to the folder and back: the attention's layers have changed, and no others."""
    dark = base / "dark"
    adapt(dark, open_dataset(base / "bright"), tmp_path / "adapter", steps=4, target=target)
    before = load_denoiser(dark).state_dict()
    after = open_denoiser(dark, tmp_path / "adapter")[0].cpu().state_dict()
    changed = {name.rpartition("attentions.")[2][2:] for name in before if not torch.equal(before[name], after[name])}
    whole = {"to_k.weight", "to_k.bias", "to_v.weight", "to_v.bias"}
    low_rank = {"to_q.weight", "to_k.weight", "to_v.weight", "to_out.0.weight"}
    assert changed <= (whole if target is Target.keys_values else low_rank)
    assert "to_v.weight" in changed
    denoiser = load_denoiser(dark)
    expected = paint(denoiser)
    load_adapter(denoiser, dark, tmp_path / "adapter")
    assert not torch.equal(paint(denoiser), expected)
    with adapter_off(denoiser):
        assert torch.equal(paint(denoiser), expected)


def test_cut_off_it_goes_on_to_the_same_adapter_bit_for_bit(base, tmp_path, monkeypatch):
    """Cut off before a save, as by kill -9; that a save itself is whole, test_training sees with real kills."""
    settings = json.loads((base / "dark" / "fewstain.json").read_text())["settings"] | {"checkpoint_seconds": 0}
    shutil.copytree(base / "dark", tmp_path / "dark")
    change_record(tmp_path / "dark", settings=settings)
    bright, wishes = open_dataset(base / "bright"), {"steps": 9, "rank": 2}
    adapt(tmp_path / "dark", bright, tmp_path / "straight", tmp_path / "state-straight", **wishes)
    out, state, save = tmp_path / "cut", tmp_path / "state", Training.save

    class CutOff(BaseException):
        pass

    def save_until(last):
        def saving(training, folder):
            if training.step > last:
                raise CutOff
            save(training, folder)

        return saving

    for last in (4, 6):
        monkeypatch.setattr(Training, "save", save_until(last))
        with pytest.raises(CutOff):
            adapt(tmp_path / "dark", bright, out, state, **wishes)
        assert read_state(state).step == last
        assert not out.exists()
    monkeypatch.setattr(Training, "save", save)
    adapt(tmp_path / "dark", bright, out, state, **wishes)
    for name in (ADAPTER_FILE, "loss.csv", "samples.png"):
        assert (out / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()
    assert sorted(path.name for path in state.iterdir()) == ["pool.json", "state.safetensors"]


def test_a_finished_adaptation_is_only_written_again_and_another_is_told(base, tmp_path, capsys):
    bright, state = open_dataset(base / "bright"), tmp_path / "state"
    adapt(base / "dark", bright, tmp_path / "a", state, steps=3)
    capsys.readouterr()
    adapt(base / "dark", bright, tmp_path / "b", state, steps=3)
    assert "adapting" not in capsys.readouterr().err
    assert (tmp_path / "a" / ADAPTER_FILE).read_bytes() == (tmp_path / "b" / ADAPTER_FILE).read_bytes()
    with pytest.raises(UserError, match=rf"{state}: was training something else: rank was 1, is 2"):
        adapt(base / "dark", bright, tmp_path / "b", state, steps=3, rank=2)
    adapt(base / "dark", bright, tmp_path / "b", state, steps=3, rank=2, restart=True)
    assert read_adapter_record(tmp_path / "b").rank == 2


def test_an_adapter_of_another_base_is_refused(base, adapter, tmp_path):
    shutil.copytree(base / "dark", tmp_path / "other")
    weights = tmp_path / "other" / "unet" / WEIGHTS
    save_file({name: tensor + 1 for name, tensor in load_file(weights).items()}, weights)
    wanted, found = (sha256_file(folder / "unet" / WEIGHTS)[:12] for folder in (base / "dark", tmp_path / "other"))
    with pytest.raises(UserError) as told:
        load_adapter(load_denoiser(tmp_path / "other"), tmp_path / "other", adapter)
    assert f"the SHA-256 {wanted}…, not {found}…" in str(told.value)
    assert f"Give the denoiser it was made from, then in {base / 'dark'}, or adapt" in str(told.value)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / ADAPTER_FILE).unlink(), "no such file, so .* holds no adapter"),
        (lambda folder: (folder / ADAPTER_FILE).write_bytes(b"12"), "altered or of another adapter"),
        (lambda folder: (folder / "fewstain.json").write_text("{}"), "not an adapter's record"),
        (lambda folder: change_record(folder, rank=2), "other names or shapes"),
        (lambda folder: change_record(folder, target="magic"), "'magic' is not a valid Target"),
    ],
)
def test_a_damaged_adapter_is_told(base, adapter, tmp_path, spoil, message):
    folder = tmp_path / "adapter"
    shutil.copytree(adapter, folder)
    spoil(folder)
    with pytest.raises(UserError, match=message):
        load_adapter(load_denoiser(base / "dark"), base / "dark", folder)


def change_record(folder, **changes):
    path = folder / "fewstain.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        (None, "0.tif: 3 of its 3 channels are to be modelled, but the denoiser in .*dark sees 1; choose 1"),
        ((0, 2), "2 of its 3 channels"),
        ((3,), "channel 3 is not there"),
    ],
)
def test_another_number_of_channels_is_told(base, tmp_path, channels, message):
    colours = make_dataset(tmp_path / "colours", bright=True, channels=3)
    with pytest.raises(UserError, match=message):
        adapt(base / "dark", colours, tmp_path / "adapter", channels=channels)
    assert {path.name for path in tmp_path.iterdir()} == {"colours"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rank": 0}, "rank 0"),
        ({"steps": 0}, "steps: .*≥ 1"),
        ({"learning_rate": 1e30}, "the loss is no longer a number"),
    ],
)
def test_wrong_wishes_are_told(base, tmp_path, wrong, message):
    with pytest.raises(UserError, match=message):
        adapt(base / "dark", open_dataset(base / "bright"), tmp_path / "adapter", **{"steps": 6} | wrong)
    assert not list(tmp_path.iterdir())


def test_no_folder_of_something_else_is_replaced(base, tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UserError, match=r"'thesis.tex', which is no part of an adapter"):
        adapt(base / "dark", open_dataset(base / "bright"), tmp_path)


def test_the_verbs_make_and_take_an_adapter(base, tmp_path, capsys):
    dark, out, image = str(base / "dark"), str(tmp_path / "adapter"), str(base / "bright" / "images" / "0.tif")
    state = ["--state", str(tmp_path / "state")]
    assert cli.run(["adapt", dark, str(base / "bright"), "--out", out, "--steps", "2", "--rank", "2", *state]) == 0
    weights = base / "dark" / "unet" / WEIGHTS
    share = (tmp_path / "adapter" / ADAPTER_FILE).stat().st_size / weights.stat().st_size
    told = capsys.readouterr().err
    assert f"wrote {out}, {share:.1%} of the denoiser's size; it grows with --rank" in told
    assert ("warning: 5% of it or more" in told) == (share >= 0.05)
    assert (tmp_path / "state" / "state.safetensors").is_file()
    painting = ["--adapter", out, "--steps", "2"]
    assert cli.run(["sample", dark, "--out", str(tmp_path / "samples"), "-n", "1", *painting]) == 0
    expected = paint(open_denoiser(base / "dark", tmp_path / "adapter")[0], 1, steps=2)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "samples" / "sample-0000.tif"), expected[0, 0])
    assert cli.run(["edit", dark, image, "--out", str(tmp_path / "edited"), *painting]) == 0
    assert tifffile.imread(tmp_path / "edited" / "0.tif").dtype == np.uint16


def test_keys_and_values_have_no_rank(base, tmp_path, capsys):
    words = ["adapt", str(base / "dark"), str(base / "bright"), "--out", str(tmp_path / "adapter"), "--steps", "1"]
    assert cli.run([*words, "--target", "keys-values", "--rank", "2"]) == 2
    assert "rank 2 with target keys-values, which replaces layers as a whole and has no rank" in capsys.readouterr().err
    assert cli.run([*words, "--target", "keys-values"]) == 0
    assert "--rank" not in capsys.readouterr().err


def test_the_other_verbs_take_an_adapter_too(base, adapter, tmp_path):
    """Each does what its function does with the adapted denoiser, and not what it does with the base."""
    denoiser, record = open_denoiser(base / "dark", adapter)
    picture = read_picture(adapter, record, base / "bright" / "images" / "0.tif")
    dark, image = str(base / "dark"), str(base / "bright" / "images" / "0.tif")

    def run(verb, *words):
        assert cli.run([verb, dark, *words, "--out", str(tmp_path / verb), "--adapter", str(adapter)]) == 0
        return tmp_path / verb

    found = read_noise(run("invert", image, "--steps", "4") / "0.safetensors", 1)
    assert torch.equal(found, invert(denoiser, picture.planes, steps=4))
    assert not torch.equal(found, invert(open_denoiser(base / "dark")[0], picture.planes, steps=4))
    noised = tifffile.imread(run("noise", image, "--timesteps", "0") / "0-t0000.tif")
    assert np.abs(noised - picture.planes[0, 0].numpy()).max() < 0.1  # bright by the adapter's normaliser
    path = run("interpolate", "-n", "2", "--steps", "3")
    np.testing.assert_allclose(
        tifffile.imread(path / "path-0001.tif"), paint(denoiser, 2, steps=3)[1, 0], atol=1e-5, rtol=0
    )
    table = (run("branch", "--at", "0", "-n", "2", "--steps", "3") / "variance.csv").read_text().splitlines()
    outcomes = branch(denoiser, (16, 16), (0,), 2, steps=3, seed=0, method="ddpm")
    assert table[1].endswith(f",{outcome_variance(outcomes).item():.6g}")
