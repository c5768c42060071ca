"""`python -m docs.generate DIRECTORY`: writes every generated page."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from docs.generate import cli, crds, rest

PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli.page,
    "custom-resources.md": crds.page,
    "openapi.json": rest.openapi_json,
    "rest.md": rest.page,
}


def main() -> None:
    directory = Path(sys.argv[1])
    for name, page in PAGES.items():
        (directory / name).write_text(page())


if __name__ == "__main__":
    main()
