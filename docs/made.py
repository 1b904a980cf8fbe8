"""What the scripts that write a page of the documentation share."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def write_or_compare(page: Path, text: str, about: str | None) -> int:
    """Write the page, or (--check) compare it; 1 when it is not current. `about`: the script's own words."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--check", action="store_true", help="compare only")
    if not parser.parse_args().check:
        page.write_text(text, encoding="utf-8")
    elif not page.exists() or page.read_text(encoding="utf-8") != text:
        sys.stderr.write(f"docs/{page.name} is not current: run python docs/make_{page.stem}.py\n")
        return 1
    return 0
