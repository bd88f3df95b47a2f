import pytest
import torch

from fewstain.diffusion.control.network import Control, build_control, load_control, with_condition
from fewstain.diffusion.control.painting import paint_conditions
from fewstain.diffusion.network import WEIGHTS, build_denoiser
from fewstain.diffusion.sampling import sample
from fewstain.errors import UserError
from fewstain.settings import DiffusionSettings


@pytest.fixture(params=[1, 2, 4])
def denoiser(request):
    torch.manual_seed(0)
    return build_denoiser(DiffusionSettings(unshuffle=request.param, channels=(8, 16), train_timesteps=50), 2).eval()


def trained(control):
    """Make its weights what they are not at first: none of them zero."""
    for parameter in control.parameters():
        torch.nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(0))
    return control


def test_untrained_it_changes_nothing_bit_for_bit(denoiser):
    control = build_control(denoiser, 3, seed=0).eval()
    conditions = torch.rand(3, 3, 16, 24, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        noisy, timesteps = torch.randn(3, 2, 16, 24), torch.tensor([0, 20, 49])
        assert torch.equal(with_condition(denoiser, control, conditions)(noisy, timesteps), denoiser(noisy, timesteps))
    painted = paint_conditions(denoiser, control, conditions, steps=3, seed=5)
    assert torch.equal(painted, sample(denoiser, 3, (16, 24), steps=3, seed=5))


def test_trained_each_image_follows_its_own_condition_at_its_own_pixels(denoiser):
    control = trained(build_control(denoiser, 1, seed=0).eval())
    conditions = torch.zeros(3, 1, 96, 96)
    conditions[1, :, :8, :8] = 1
    with torch.inference_mode():
        noisy = torch.zeros(3, 2, 96, 96)
        with_none, with_corner, again = with_condition(denoiser, control, conditions)(noisy, torch.zeros(3).long())
    assert torch.equal(with_none, again)
    change = (with_corner - with_none).abs().mean(dim=0)
    assert change[:8, :8].mean() > 2 * change[48:, 48:].mean()  # group norms carry a little everywhere
    together = paint_conditions(denoiser, control, conditions, steps=2, seed=0, batch_size=3)
    singly = paint_conditions(denoiser, control, conditions, steps=2, seed=0, batch_size=1)
    torch.testing.assert_close(together, singly, atol=1e-5, rtol=0)


def test_it_comes_back_as_saved(denoiser, tmp_path):
    control = trained(build_control(denoiser, 3, seed=0))
    control.save(tmp_path)
    loaded = load_control(tmp_path, denoiser)
    assert loaded.condition_channels == 3
    for name, tensor in control.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    assert not list(tmp_path.rglob("*.bin"))


def test_conditions_of_another_kind_are_told(denoiser):
    control = build_control(denoiser, 3, seed=0)
    with pytest.raises(UserError, match=r"shape \(1, 1, 16, 16\); this control was trained on \(n, 3, height, width\)"):
        paint_conditions(denoiser, control, torch.zeros(1, 1, 16, 16), steps=2, seed=0)
    with pytest.raises(UserError, match=f"17 x 16 pixels; this denoiser needs multiples of {denoiser.multiple}"):
        paint_conditions(denoiser, control, torch.zeros(1, 3, 17, 16), steps=2, seed=0)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [(lambda path: path.unlink(), "holds no control"), (lambda path: path.write_bytes(b"1"), "damaged or not its own")],
)
def test_a_damaged_control_is_told(tmp_path, spoil, told):
    denoiser = build_denoiser(DiffusionSettings(channels=(8,), train_timesteps=50), 1)
    build_control(denoiser, 3, seed=0).save(tmp_path)
    spoil(tmp_path / "controlnet" / WEIGHTS)
    with pytest.raises(UserError, match=told):
        load_control(tmp_path, denoiser)


def test_its_embedding_is_a_function_of_the_seed(denoiser):
    def embedding(seed):
        control: Control = build_control(denoiser, 3, seed)
        return control.net.controlnet_cond_embedding.conv_in.weight

    assert torch.equal(embedding(1), embedding(1))
    assert not torch.equal(embedding(1), embedding(2))
