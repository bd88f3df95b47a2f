import torch
from torch.nn import functional

from fewstain.diffusion.custom_attention import (
    attention_blocks,
    merge_keys_values,
    own_keys_values,
    replace_keys_values,
)
from fewstain.diffusion.network import build_denoiser
from fewstain.settings import DiffusionSettings

SETTINGS = DiffusionSettings(channels=(8, 16), attention=(1,), crop=16, train_timesteps=50)


def block_with_own():
    """An attention block of 16 channels, 2 heads of 8, with other keys and values than its own."""
    unet = build_denoiser(SETTINGS, 1).unet
    replace_keys_values(unet)
    name, block = next(iter(attention_blocks(unet).items()))
    own = own_keys_values(unet)[name].layers
    with torch.no_grad():
        own["to_k"].weight.copy_(torch.randn((16, 16), generator=torch.Generator().manual_seed(1)))
        own["to_v"].bias.fill_(0.5)
    return unet, block, own


def attend(x, block, to_k, to_v):
    """softmax(q k^T / sqrt(8)) v for each of two heads, written out; (1, 16, 2, 2) in and out."""
    tokens = functional.group_norm(x, 8, block.group_norm.weight, block.group_norm.bias, block.group_norm.eps)
    tokens = tokens[0].flatten(1).T  # (4, 16)
    query, key, value = block.to_q(tokens), to_k(tokens), to_v(tokens)
    heads = [
        torch.softmax(query[:, part] @ key[:, part].T / 8**0.5, dim=1) @ value[:, part]
        for part in (slice(0, 8), slice(8, 16))
    ]
    return x + block.to_out[0](torch.cat(heads, dim=1)).T.reshape(1, 16, 2, 2)


def test_keys_and_values_are_its_own_and_queries_the_blocks():
    _, block, own = block_with_own()
    x = torch.randn((1, 16, 2, 2), generator=torch.Generator().manual_seed(0))
    expected = attend(x, block, own["to_k"], own["to_v"])
    torch.testing.assert_close(block(x), expected, atol=1e-5, rtol=1e-4)
    block.processor.enable_adapters(False)
    torch.testing.assert_close(block(x), attend(x, block, block.to_k, block.to_v), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(block(x), expected, atol=1e-2)


def test_merged_the_blocks_have_them_and_nothing_else_is_left():
    unet, block, own = block_with_own()
    plain = list(build_denoiser(SETTINGS, 1).unet.state_dict())
    merge_keys_values(unet)
    assert torch.equal(block.to_k.weight, own["to_k"].weight)
    assert torch.equal(block.to_v.bias, own["to_v"].bias)
    assert own_keys_values(unet) == {}
    assert list(unet.state_dict()) == plain


def test_only_keys_and_values_of_every_block_are_copied():
    unet, _, _ = block_with_own()
    blocks = attention_blocks(unet)
    assert len(blocks) == 3
    assert {name.partition(".")[0] for name in blocks} == {"down_blocks", "up_blocks"}
    own = own_keys_values(unet)
    assert set(own) == set(blocks)
    assert sum(parameter.numel() for each in own.values() for parameter in each.parameters()) == 3 * 2 * (16 * 16 + 16)
