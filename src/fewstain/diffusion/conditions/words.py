"""Conditions in words: a data set's own description, as tokens that are learned with the denoiser."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fewstain.errors import UserError
from fewstain.validation import nearest

SLOTS = 8  # tokens of a condition, at least


class WordEncoder(nn.Module):
    """A table of learned tokens, one a word.

    A condition has as many slots as the longest description, and at least `SLOTS`. Words fill the first ones; each
    slot left over has a learned token of its own, and these alone are the condition that says nothing. Attention does
    not see the order of tokens, so neither does it see that of words.

    Parameters
    ----------
    vocabulary
        Every word, each once.
    slots
        Tokens of a condition.
    width
        Of a token.
    """

    kind = "words"

    def __init__(self, vocabulary: Sequence[str], slots: int, width: int) -> None:
        super().__init__()
        self.vocabulary = tuple(vocabulary)
        self.slots = slots
        self.width = width
        self.table = nn.Embedding(slots + len(self.vocabulary), width)  # the slots' own tokens come first

    @classmethod
    def of(cls, descriptions: Iterable[Sequence[str]], width: int) -> WordEncoder:
        """Make the encoder that holds these descriptions; its vocabulary is in the alphabet's order."""
        described = [tuple(words) for words in descriptions]
        vocabulary = sorted({word for words in described for word in words})
        return cls(vocabulary, max(SLOTS, *(len(words) for words in described)), width)

    def config(self) -> dict[str, Any]:
        """JSON-ready arguments to make it again."""
        return {"vocabulary": list(self.vocabulary), "slots": self.slots, "width": self.width}

    def numbers(self, words: Sequence[str]) -> list[int]:
        """Rows of the table that a description, or a part of one, stands for.

        Raises
        ------
        UserError
            A word that was never learned, with the nearest one that was; more words than slots.
        """
        for word in words:
            if word not in self.vocabulary:
                raise UserError(f"{word!r} is no word this denoiser has learned; {nearest(word, self.vocabulary)}")
        if len(words) > self.slots:
            raise UserError(f"{len(words)} words; this denoiser takes {self.slots} at most: leave some out")
        return [
            *(self.slots + self.vocabulary.index(word) for word in words),
            *range(len(words), self.slots),
        ]

    def forward(self, numbers: Tensor) -> Tensor:
        """(B, slots) int64 rows of the table -> (B, slots, width) tokens."""
        tokens: Tensor = self.table(numbers)
        return tokens

    def nothing(self) -> Tensor:
        """(1, slots, width) tokens of no condition."""
        return self(torch.arange(self.slots, device=self.table.weight.device)[None])
