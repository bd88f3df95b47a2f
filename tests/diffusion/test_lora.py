import pytest
import torch

from fewstain.diffusion.lora import (
    adapter_off,
    adapter_parameters,
    adapter_tensors,
    add_adapter,
    freeze_base,
    merge_adapter,
    set_adapter_tensors,
    target_layers,
    usual_rank,
)
from fewstain.diffusion.network import build_denoiser
from fewstain.errors import UserError
from fewstain.presets import PRESETS
from fewstain.settings import DiffusionSettings, Preset
from fewstain.toolbox import Target

TINY = DiffusionSettings(channels=(8, 16), crop=16, train_timesteps=50)


ATTENTIVE = TINY.model_copy(update={"attention": (1,)})


def with_attention():
    return build_denoiser(ATTENTIVE, 1).eval()


MAKERS = pytest.mark.parametrize(
    ("make", "target"),
    [
        (lambda: build_denoiser(TINY, 2).eval(), Target.all),
        (with_attention, Target.all),
        (with_attention, Target.attention),
        (with_attention, Target.keys_values),
    ],
)


def answer(denoiser):
    """To fixed noised images at two timesteps."""
    generator = torch.Generator().manual_seed(0)
    noised = torch.randn((2, denoiser.image_channels, 16, 16), generator=generator)
    with torch.inference_mode():
        return denoiser(noised, torch.tensor([3, 40]))


def disturb(denoiser):
    """Give the adapter weights as training might; B is no longer zero."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in adapter_parameters(denoiser):
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))


@MAKERS
def test_an_untrained_adapter_changes_nothing_bit_for_bit(make, target):
    denoiser = make()
    before = answer(denoiser)
    add_adapter(denoiser, 4, target, seed=0)
    assert torch.equal(answer(denoiser), before)


@MAKERS
def test_merged_answers_as_unmerged_and_is_a_plain_network_again(make, target):
    denoiser = make()
    names, before = list(denoiser.state_dict()), answer(denoiser)
    add_adapter(denoiser, 4, target, seed=0)
    disturb(denoiser)
    adapted = answer(denoiser)
    assert float((adapted - before).abs().max()) > 0.01
    merge_adapter(denoiser)
    torch.testing.assert_close(answer(denoiser), adapted, atol=1e-5, rtol=1e-4)
    assert list(denoiser.state_dict()) == names
    assert all(parameter.requires_grad for parameter in denoiser.parameters())


@MAKERS
def test_switched_off_it_answers_as_the_base_and_then_as_before(make, target):
    denoiser = make()
    before = answer(denoiser)
    add_adapter(denoiser, 4, target, seed=0)
    disturb(denoiser)
    adapted = answer(denoiser)
    with adapter_off(denoiser):
        assert torch.equal(answer(denoiser), before)
    assert torch.equal(answer(denoiser), adapted)
    assert not torch.equal(adapted, before)


def test_a_convolution_gains_b_times_a():
    denoiser = build_denoiser(TINY, 1)
    before = denoiser.unet.conv_in.weight.detach().clone()  # (8, 4, 3, 3)
    add_adapter(denoiser, 2, Target.all, seed=0)
    disturb(denoiser)
    tensors = adapter_tensors(denoiser)
    low, high = tensors["conv_in.lora_A.weight"], tensors["conv_in.lora_B.weight"]
    assert (low.shape, high.shape) == ((2, 4, 3, 3), (8, 2, 1, 1))
    merge_adapter(denoiser)
    gained = torch.einsum("or,rihw->oihw", high[:, :, 0, 0], low)
    torch.testing.assert_close(denoiser.unet.conv_in.weight.detach() - before, gained, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("image_channels", [1, 3])
@pytest.mark.parametrize(
    ("attention", "target"),
    [
        ((), Target.all),
        ((2,), Target.all),
        ((2,), Target.attention),
        ((2,), Target.keys_values),
        ((1, 2), Target.keys_values),
    ],
)
def test_an_adapter_of_preset_cpu_has_under_5_percent_of_the_parameters(image_channels, attention, target):
    settings = PRESETS[Preset.cpu].diffusion.model_copy(update={"attention": attention})
    denoiser = build_denoiser(settings, image_channels)
    base = sum(parameter.numel() for parameter in denoiser.parameters())
    add_adapter(denoiser, 4, target, seed=0)
    adapter = sum(parameter.numel() for parameter in adapter_parameters(denoiser))
    assert adapter == sum(tensor.numel() for tensor in adapter_tensors(denoiser).values())
    assert 0 < adapter < 0.05 * base


@pytest.mark.parametrize(("preset", "rank"), [(Preset.demo, 2), (Preset.cpu, 4), (Preset.gpu, 4)])
def test_where_no_rank_is_given_an_adapter_has_under_5_percent(preset, rank):
    denoiser = build_denoiser(PRESETS[preset].diffusion, 1)
    base = sum(parameter.numel() for parameter in denoiser.unet.parameters())
    assert usual_rank(denoiser, Target.all) == rank
    add_adapter(denoiser, rank, Target.all, seed=0)
    one = sum(parameter.numel() for parameter in adapter_parameters(denoiser)) / rank
    assert rank * one < 0.05 * base
    assert rank == 4 or (rank + 1) * one >= 0.05 * base


def test_of_a_tiny_network_even_the_smallest_adapter_is_more():
    assert usual_rank(with_attention(), Target.all) == 1


def test_targets_name_layers_of_their_kind():
    unet = with_attention().unet
    attention, everything = target_layers(unet, Target.attention), target_layers(unet, Target.all)
    assert {name.rpartition("attentions.")[2][2:] for name in attention} == {"to_q", "to_k", "to_v", "to_out.0"}
    assert len(attention) == 3 * 4  # one block on the way down, two on the way up, all at level 1
    assert set(attention) < set(everything)
    assert {"conv_in", "conv_out", "down_blocks.0.resnets.0.conv1"} <= set(everything)
    assert not any("time_emb" in name for name in everything)


def test_no_attention_to_adapt_is_told():
    denoiser = build_denoiser(TINY, 1)
    for target in (Target.attention, Target.keys_values):
        with pytest.raises(UserError, match="no attention blocks, only DownBlock2D, UpBlock2D; choose target all, or"):
            add_adapter(denoiser, 4, target, seed=0)
    with pytest.raises(UserError, match="rank 0; an adapter has rank 1 or more"):
        add_adapter(denoiser, 0, Target.all, seed=0)


@pytest.mark.parametrize("target", Target)
def test_tensors_come_back_and_others_are_refused(target):
    torch.manual_seed(0)
    one, other = (build_denoiser(ATTENTIVE, 1).eval() for _ in range(2))
    wider = build_denoiser(ATTENTIVE.model_copy(update={"channels": (8, 24)}), 1)
    other.load_state_dict(one.state_dict())
    for denoiser in (one, other, wider):
        add_adapter(denoiser, 2, target, seed=0)
    disturb(one)
    assert not torch.equal(answer(other), answer(one))
    set_adapter_tensors(other, adapter_tensors(one))
    assert torch.equal(answer(other), answer(one))
    with pytest.raises(ValueError, match="tensors of other names or shapes, as "):
        set_adapter_tensors(one, adapter_tensors(wider))


def test_a_rank_of_another_adapter_is_refused():
    one, other = build_denoiser(TINY, 1), build_denoiser(TINY, 1)
    add_adapter(one, 2, Target.all, seed=0)
    add_adapter(other, 3, Target.all, seed=0)
    with pytest.raises(ValueError, match="tensors of other names or shapes, as conv_in"):
        set_adapter_tensors(one, adapter_tensors(other))


@pytest.mark.parametrize("target", Target)
def test_frozen_only_the_adapter_learns(target):
    denoiser = with_attention()
    base = {name for name, _ in denoiser.named_parameters()}
    add_adapter(denoiser, 2, target, seed=0)
    freeze_base(denoiser)
    learning = {name for name, parameter in denoiser.named_parameters() if parameter.requires_grad}
    assert learning == {name for name, _ in denoiser.named_parameters() if name.replace(".base_layer", "") not in base}
    assert len(learning) == len(adapter_tensors(denoiser)) == len(adapter_parameters(denoiser))


def test_the_seed_decides_the_adapter_and_leaves_other_chance_alone():
    tensors = []
    for seed in (0, 0, 1):
        denoiser, chance = build_denoiser(TINY, 1), torch.get_rng_state()
        add_adapter(denoiser, 2, Target.all, seed=seed)
        assert torch.equal(torch.get_rng_state(), chance)
        tensors.append(adapter_tensors(denoiser)["conv_in.lora_A.weight"])
    assert torch.equal(tensors[0], tensors[1])
    assert not torch.equal(tensors[0], tensors[2])
