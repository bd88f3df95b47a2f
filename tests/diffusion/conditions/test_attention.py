import torch

from fewstain.diffusion.conditions.attention import attention_maps, attention_probabilities, cross_attention_blocks


def told(denoiser, *words):
    return denoiser.encoder(torch.tensor([denoiser.encoder.numbers(words)]))


def test_maps_vary_over_pixels_and_sum_to_one(tiny_words):
    noisy = torch.randn(2, 1, 16, 24, generator=torch.Generator().manual_seed(0))
    maps = attention_maps(tiny_words, noisy, torch.tensor([10, 500]), told(tiny_words, "dapi", "heart"))
    assert maps.shape == (2, 8, 16, 24)
    torch.testing.assert_close(maps.sum(dim=1), torch.ones(2, 16, 24))
    assert float(maps.std(dim=(2, 3)).min()) > 1e-4  # over pixels, for every token of every image
    assert float(maps.std(dim=1).min()) > 1e-4  # and over tokens, at every pixel


def test_a_trained_denoiser_looks_at_other_words_in_spots_than_between_them(words_model):
    from fewstain.diffusion.conditions.opening import open_conditional

    denoiser, _ = open_conditional(words_model / "out")
    image = torch.full((1, 3, 32, 32), -1.0)
    image[..., 8:24, 8:24] = 1.0
    maps = attention_maps(denoiser, image, torch.tensor([50]), told(denoiser, "dapi", "heart", "20x"))[0]
    inside, outside = maps[:, 12:20, 12:20].mean(dim=(1, 2)), maps[:, :4, :4].mean(dim=(1, 2))
    assert float((inside - outside).abs().max()) > 0.01


@torch.no_grad()
def test_the_probabilities_are_those_that_the_block_uses(tiny_words):
    block = cross_attention_blocks(tiny_words)[0]
    cells, tokens = torch.randn(2, 12, 16), torch.randn(2, 5, 16)
    probabilities = attention_probabilities(block, cells, tokens)
    assert probabilities.shape == (2, 12, 5)
    block.to_v.weight.copy_(torch.eye(16))  # each head passes on its part of the tokens
    block.to_out[0].weight.copy_(torch.eye(16))
    block.to_out[0].bias.zero_()
    alike = tokens[:, :, :4].repeat(1, 1, 4)  # of the same values in every head: what comes out is the heads' mean
    keys = block.to_k(tokens)
    block.to_k.forward = lambda given: keys
    out = block(cells, encoder_hidden_states=alike).unflatten(2, (4, 4)).mean(dim=2)
    torch.testing.assert_close(out, probabilities @ tokens[:, :, :4])


def test_nothing_is_left_behind(tiny_words):
    noisy, timestep, tokens = torch.randn(1, 1, 8, 8), torch.tensor([5]), told(tiny_words, "h&e")
    with torch.no_grad():
        before = tiny_words(noisy, timestep, tokens)
        attention_maps(tiny_words, noisy, timestep, tokens)
        assert torch.equal(tiny_words(noisy, timestep, tokens), before)
    assert not any(block._forward_pre_hooks for block in cross_attention_blocks(tiny_words))
