import pytest
import torch

from fewstain.diffusion.conditions.network import Guided, is_conditional, load_conditional, unconditional
from fewstain.diffusion.network import load_denoiser
from fewstain.diffusion.sampling import sample
from fewstain.errors import UserError


def tokens(denoiser, *words):
    return denoiser.encoder(torch.tensor([denoiser.encoder.numbers(words)]))


def test_the_coarser_levels_attend_to_the_condition(tiny_words):
    config = tiny_words.unet.config
    assert config["down_block_types"] == ("DownBlock2D", "CrossAttnDownBlock2D")
    assert config["mid_block_type"] == "UNetMidBlock2DCrossAttn"
    assert config["up_block_types"] == ("CrossAttnUpBlock2D", "UpBlock2D")
    assert (config["cross_attention_dim"], tiny_words.encoder.slots) == (16, 8)


@torch.no_grad()
def test_guidance_is_linear_between_without_and_with_the_condition(tiny_words):
    noisy, timestep = torch.randn(2, 1, 8, 8), torch.tensor([3, 700])
    with_it = tiny_words(noisy, timestep, tokens(tiny_words, "dapi", "heart").expand(2, -1, -1))
    without = tiny_words(noisy, timestep, tiny_words.encoder.nothing().expand(2, -1, -1))
    assert not torch.allclose(with_it, without, atol=1e-4)
    for scale, expected in ((0, without), (1, with_it), (3, without + 3 * (with_it - without))):
        assert torch.equal(Guided(tiny_words, tokens(tiny_words, "dapi", "heart"), scale)(noisy, timestep), expected)


def test_guidance_0_paints_as_without_condition_bit_for_bit_and_1_as_with_it(tiny_words):
    def painted(denoiser):
        return sample(denoiser, 2, (8, 8), steps=5, seed=0, method="ddpm")

    class Plain(type(tiny_words)):
        def forward(self, noisy, timestep, condition=None):
            return super().forward(noisy, timestep, tokens(self, "h&e").expand(len(noisy), -1, -1))

    nothing, told = painted(unconditional(tiny_words)), painted(Plain(tiny_words, tiny_words.encoder))
    assert torch.equal(painted(Guided(tiny_words, tokens(tiny_words, "h&e"), 0.0)), nothing)
    assert torch.equal(painted(Guided(tiny_words, tokens(tiny_words, "h&e"), 1.0)), told)
    assert not torch.equal(painted(Guided(tiny_words, tokens(tiny_words, "h&e"), 2.0)), told)
    assert not torch.equal(nothing, told)
    with pytest.raises(UserError, match="guidance scale -1"):
        Guided(tiny_words, tokens(tiny_words, "h&e"), -1)


def test_dropped_crops_have_the_tokens_of_no_condition(tiny_words):
    given = torch.cat([tokens(tiny_words, "dapi"), tokens(tiny_words, "h&e")]).repeat(1, 2, 1)
    kept = tiny_words.dropped(given, torch.tensor([True, False]))
    assert torch.equal(kept[0], tiny_words.encoder.nothing()[0].repeat(2, 1))
    assert torch.equal(kept[1], given[1])


@torch.no_grad()
def test_what_is_saved_comes_back(tiny_words, tmp_path):
    tiny_words.save(tmp_path)
    assert is_conditional(tmp_path)
    again = load_conditional(tmp_path)
    noisy, timestep = torch.randn(1, 1, 8, 8), torch.tensor([5])
    told = tokens(tiny_words, "heart")
    assert torch.equal(tokens(again, "heart"), told)
    assert torch.equal(again(noisy, timestep, told), tiny_words(noisy, timestep, told))
    with pytest.raises(
        UserError, match="takes conditions, for `fewstain sample`, edit, invert, branch and interpolate only"
    ):
        load_denoiser(tmp_path)


def test_damage_is_told(tiny_words, tmp_path):
    tiny_words.save(tmp_path)
    (tmp_path / "encoder.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match="the encoder's weights are damaged"):
        load_conditional(tmp_path)
    (tmp_path / "encoder.json").unlink()
    with pytest.raises(UserError, match=r"encoder\.json: no such file, so the denoiser in .* takes no conditions"):
        load_conditional(tmp_path)
