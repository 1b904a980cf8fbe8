"""What the scripts that write pages of the documentation share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path


def write_or_compare(texts: Mapping[Path, str], about: str | None) -> int:
    """Write the pages, or (--check) compare them: 1 when one is not current. `about` is the script's."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--check", action="store_true", help="compare only")
    compare = parser.parse_args().check
    old = [
        page for page, text in texts.items() if not page.exists() or page.read_text(encoding="utf-8") != text
    ]
    for page in old:
        if compare:
            sys.stderr.write(f"{page.name} is not current: run python docs/{Path(sys.argv[0]).name}\n")
        else:
            page.write_text(texts[page], encoding="utf-8")
    return int(compare and bool(old))
