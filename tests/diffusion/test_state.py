import pytest
import torch
from diffusers.training_utils import EMAModel

from fewstain.diffusion.loop import new_optimisers
from fewstain.diffusion.network import build_denoiser
from fewstain.diffusion.precision import Precision
from fewstain.diffusion.state import STATE_FILE, Training, check_identity, open_state, read_state
from fewstain.errors import UserError
from fewstain.settings import DiffusionSettings, TrainingSettings

IDENTITY = {"seed": 0, "channels": (0, 1), "pool": (("a.tif", "12"), ("b.tif", "34"))}


def new(steps_done=0, channels_last=False, muon=True):
    torch.manual_seed(0)
    network = build_denoiser(DiffusionSettings(channels=(8, 8)), 1)
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
    optimisers = new_optimisers(network, list(network.parameters()), TrainingSettings(learning_rate=0.01, muon=muon))
    ema = EMAModel(network.parameters(), decay=0.9, foreach=True)
    training = Training(
        network, optimisers, ema, torch.zeros(5), Precision("bf16", channels_last=channels_last), IDENTITY
    )
    advance(training, steps_done)
    return training


def advance(training, steps):
    for _ in range(steps):
        generator = torch.Generator().manual_seed(training.step)
        loss = training.network(torch.randn((1, 1, 8, 8), generator=generator), torch.tensor([3])).square().mean()
        for optimiser in training.optimisers:
            optimiser.zero_grad()
        loss.backward()
        for optimiser in training.optimisers:
            optimiser.step()
        training.ema.step(training.network.parameters())
        training.losses[training.step] = loss.detach()
        training.step += 1


@pytest.mark.parametrize("muon", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_a_restored_training_goes_on_bit_for_bit(tmp_path, channels_last, muon):
    straight = new(2, channels_last, muon)
    straight.seconds = 7.5
    straight.save(tmp_path)
    resumed = new(0, channels_last, muon)
    resumed.restore(read_state(tmp_path))
    assert (resumed.step, resumed.seconds, resumed.ema.optimization_step) == (2, 7.5, 2)
    advance(straight, 3)
    advance(resumed, 3)
    for a, b in zip(straight._tensors().values(), resumed._tensors().values(), strict=True):
        assert torch.equal(a, b)
        assert a.stride() == b.stride()


def test_no_state_is_none_and_left_over_parts_go(tmp_path):
    (tmp_path / ".state.12ab.part.safetensors").write_bytes(b"half")
    (tmp_path / ".tmpu0SuMH").write_bytes(b"half")  # as safetensors calls a file until it is whole
    assert open_state(tmp_path, IDENTITY, restart=False) is None
    assert not list(tmp_path.iterdir())


def test_what_is_kept_beside_the_weights(tmp_path):
    new(2, channels_last=True).save(tmp_path)
    saved = open_state(tmp_path, IDENTITY, restart=False)
    assert (saved.step, saved.precision) == (2, Precision("bf16", channels_last=True))
    assert [path.name for path in tmp_path.iterdir()] == [STATE_FILE]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-7],
        lambda content: content[:3],
        lambda content: b"",
        lambda content: content[:-400] + bytes([content[-400] ^ 1]) + content[-399:],
        lambda content: b"PK" + content[2:],
        lambda content: content.replace(b'\\"step\\"', b'\\"stop\\"'),
    ],
    ids=["cut", "cut short", "empty", "one bit", "no safetensors", "other facts"],
)
def test_a_damaged_state_is_told_and_can_be_forgotten(tmp_path, damage):
    new(1).save(tmp_path)
    path = tmp_path / STATE_FILE
    content = path.read_bytes()
    path.write_bytes(damage(content))
    assert path.read_bytes() != content
    with pytest.raises(UserError, match=rf"{STATE_FILE}: .*delete the folder"):
        open_state(tmp_path, IDENTITY, restart=False)
    assert open_state(tmp_path, IDENTITY, restart=True) is None
    assert not path.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "seed was 0, is 1"),
        ({"channels": None}, r"channels was \[0, 1\], is None"),
        ({"pool": (("a.tif", "12"),)}, r"1 removed \(b\.tif\)"),
        ({"pool": (("a.tif", "99"), ("b.tif", "34"), ("c.tif", "1"))}, r"1 added \(c\.tif\), 1 altered \(a\.tif\)"),
        ({"new": 3}, "new was None, is 3"),
    ],
)
def test_what_changed_is_named(tmp_path, change, message):
    new(1).save(tmp_path)
    with pytest.raises(UserError, match=message):
        open_state(tmp_path, IDENTITY | change, restart=False)
    assert (tmp_path / STATE_FILE).exists()
    assert open_state(tmp_path, IDENTITY, restart=True) is not None  # the same identity goes on, restart or not


def test_many_changed_images_are_counted(tmp_path):
    now = {"pool": [(f"{number}.tif", "0") for number in range(9)]}
    with pytest.raises(UserError, match=r"9 added \(0\.tif, 1\.tif, 2\.tif, …\)"):
        check_identity(tmp_path, {"pool": []}, now)
