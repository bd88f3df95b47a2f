import pytest
import torch

from fewstain.diffusion.conditions.words import WordEncoder
from fewstain.errors import UserError


def test_words_fill_the_first_slots_and_the_others_keep_their_own_tokens():
    encoder = WordEncoder.of([("dapi", "heart"), ("h&e",)], 16)
    assert encoder.vocabulary == ("dapi", "h&e", "heart")
    assert encoder.numbers([]) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert encoder.numbers(["heart", "dapi"]) == [10, 8, 2, 3, 4, 5, 6, 7]
    tokens = encoder(torch.tensor([encoder.numbers(["heart", "dapi"])]))
    assert tokens.shape == (1, 8, 16)
    assert torch.equal(tokens[0, 2:], encoder.nothing()[0, 2:])
    assert not torch.equal(tokens[0, :2], encoder.nothing()[0, :2])


def test_long_descriptions_have_as_many_slots_as_words():
    encoder = WordEncoder.of([[str(k) for k in range(9)], ("0", "x")], 8)
    assert encoder.slots == 9
    with pytest.raises(UserError, match="10 words; this denoiser takes 9 at most"):
        encoder.numbers([str(k % 9) for k in range(10)])


@pytest.mark.parametrize(("word", "told"), [("dappi", "did you mean 'dapi'"), ("xyz", "valid are: dapi, h&e, heart")])
def test_an_unknown_word_is_told_with_the_nearest(word, told):
    encoder = WordEncoder.of([("dapi", "heart"), ("h&e",)], 8)
    with pytest.raises(UserError, match=f"'{word}' is no word this denoiser has learned; {told}"):
        encoder.numbers(["heart", word])
