import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def page():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("page")
    finally:
        sys.path.pop(0)


def test_only_what_stands_between_the_markers_is_replaced(page):
    old = "# A\n<!-- accuracy tables: begin -->\nold\n<!-- accuracy tables: end -->\nend\n"
    new = page.replace_tables(old, "new\n", "accuracy")
    assert new == "# A\n<!-- accuracy tables: begin -->\n\nnew\n\n<!-- accuracy tables: end -->\nend\n"
    assert page.replace_tables(new, "new", "accuracy") == new


def test_a_page_without_markers_is_refused(page):
    with pytest.raises(ValueError, match="needs the lines"):
        page.replace_tables("# Accuracy", "new", "accuracy")


@pytest.mark.parametrize(("name", "subject"), [("accuracy", "accuracy"), ("diffusion", "latent")])
def test_the_pages_have_the_markers(page, name, subject):
    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    assert "-->\n\nnew\n\n<!--" in page.replace_tables(text, "new", subject)
