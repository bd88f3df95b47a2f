import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from fewstain.diffusion.network import build_denoiser, load_denoiser
from fewstain.errors import UserError
from fewstain.settings import DiffusionSettings

TINY = DiffusionSettings(channels=(8, 16), crop=16)


def saved(folder, settings=TINY, channels=3):
    torch.manual_seed(0)
    denoiser = build_denoiser(settings, channels).eval()
    denoiser.save(folder)
    return denoiser


@pytest.mark.parametrize(("unshuffle", "multiple"), [(1, 2), (2, 4), (4, 8)])
def test_stem_keeps_the_image_size(unshuffle, multiple):
    denoiser = build_denoiser(DiffusionSettings(channels=(8, 16), unshuffle=unshuffle), 3)
    assert (denoiser.image_channels, denoiser.multiple) == (3, multiple)
    answer = denoiser(torch.zeros(2, 3, 2 * multiple, 3 * multiple), torch.tensor([0, 9]))
    assert answer.shape == (2, 3, 2 * multiple, 3 * multiple)


def test_attention_is_at_the_levels_named_in_heads_of_8_channels():
    plain, attentive = (
        build_denoiser(DiffusionSettings(channels=(8, 16, 16), attention=levels), 1).unet for levels in ((), (0, 2))
    )

    def kinds(blocks):
        return [type(block).__name__ for block in blocks]

    assert kinds(plain.down_blocks) == ["DownBlock2D"] * 3
    assert kinds(attentive.down_blocks) == ["AttnDownBlock2D", "DownBlock2D", "AttnDownBlock2D"]
    assert kinds(attentive.up_blocks) == ["AttnUpBlock2D", "UpBlock2D", "AttnUpBlock2D"]
    block = attentive.down_blocks[2].attentions[0]
    assert (block.heads, block.to_q.out_features) == (2, 16)


def test_loaded_denoiser_answers_as_the_saved_one(tmp_path):
    changes = {"prediction": "v_prediction", "betas": "cosine", "attention": (0,)}
    denoiser = saved(tmp_path, TINY.model_copy(update=changes))
    loaded = load_denoiser(tmp_path)
    noisy, timestep = torch.randn(1, 3, 16, 16), torch.tensor([5])
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), denoiser.parameters(), strict=True))
    torch.testing.assert_close(loaded(noisy, timestep), denoiser(noisy, timestep))
    assert not loaded.training
    assert loaded.scheduler.config["prediction_type"] == "v_prediction"
    assert torch.equal(loaded.scheduler.alphas_cumprod, denoiser.scheduler.alphas_cumprod)


def test_folder_holds_safetensors_that_others_may_read(tmp_path):
    saved(tmp_path)
    weights = tmp_path / "unet" / "diffusion_pytorch_model.safetensors"
    assert weights.stat().st_mode == (tmp_path / "unet" / "config.json").stat().st_mode
    assert not [path for path in tmp_path.rglob("*") if path.suffix in {".bin", ".pt", ".pkl"}]


def test_a_folder_without_a_denoiser_is_told(tmp_path):
    with pytest.raises(UserError, match=r"stem\.json: no such file"):
        load_denoiser(tmp_path)


def test_weights_cut_short_are_told(tmp_path):
    saved(tmp_path)
    weights = tmp_path / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match="damaged or not its own"):
        load_denoiser(tmp_path)


def test_weights_of_another_network_are_told(tmp_path):
    saved(tmp_path)
    config = tmp_path / "unet" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"block_out_channels": [8, 24]}))
    with pytest.raises(UserError, match="damaged or not its own"):
        load_denoiser(tmp_path)


def test_missing_tensors_are_told(tmp_path):
    saved(tmp_path)
    weights = tmp_path / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    del tensors["conv_out.weight"]
    save_file(tensors, weights, {"format": "pt"})
    with pytest.raises(UserError, match="damaged or not its own"):
        load_denoiser(tmp_path)


def test_a_foreign_pickle_in_place_of_the_weights_is_never_read(tmp_path):
    saved(tmp_path)
    weights = tmp_path / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(UserError, match="no such file"):
        load_denoiser(tmp_path)
