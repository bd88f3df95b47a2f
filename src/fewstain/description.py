"""A data set described in words, in its folder's words.txt: stain, organ, magnification."""

from __future__ import annotations

import re
from pathlib import Path

from fewstain.errors import UserError

WORDS_FILE = "words.txt"
_APART = re.compile(r"[\s,;]+")


def split_words(text: str) -> tuple[str, ...]:
    """Split "H&E, mouse heart, 20x" into its words, in small letters, each once and in the order given."""
    return tuple(dict.fromkeys(word for word in _APART.split(text.lower()) if word))


def read_words(dataset: Path) -> tuple[str, ...]:
    """Read the description of a data set.

    Parameters
    ----------
    dataset
        Its folder, with the file words.txt.

    Raises
    ------
    UserError
        If there is no such file, or no word in it.
    """
    path = dataset / WORDS_FILE
    example = 'write its stain, organ and magnification there, as in "DAPI, mouse heart, 20x"'
    try:
        words = split_words(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file, so nothing describes this data set; {example}") from None
    except (OSError, UnicodeDecodeError) as fault:
        raise UserError(f"{path}: unreadable ({fault}); save it as text in UTF-8") from fault
    if not words:
        raise UserError(f"{path}: holds no words; {example}")
    return words
