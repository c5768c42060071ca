"""The generated reference pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs.generate.__main__ import PAGES

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


@pytest.mark.parametrize("name", PAGES)
def test_the_checked_in_page_is_what_the_code_says(name: str) -> None:
    assert (REFERENCE / name).read_text() == PAGES[name](), "run `make generate`"
