import pytest

from fewstain.description import read_words, split_words
from fewstain.errors import UserError


def test_words_are_split_at_blanks_and_commas():
    assert split_words(" H&E, mouse heart;\n20x,, Heart ") == ("h&e", "mouse", "heart", "20x")
    assert split_words(" ,;\n") == ()


def test_words_are_read_from_the_data_set(tmp_path):
    (tmp_path / "words.txt").write_text("\ufeffDAPI, Mäuseherz\n", encoding="utf-8")
    assert read_words(tmp_path) == ("dapi", "mäuseherz")
    (tmp_path / "words.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"words\.txt: unreadable.*UTF-8"):
        read_words(tmp_path)
