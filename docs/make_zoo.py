"""Writes docs/zoo.md from the records of examples/zoo: `python docs/make_zoo.py` (--check: compares)."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))

from made import write_or_compare
from zoo.page import PAGE, page

if __name__ == "__main__":
    sys.exit(write_or_compare({PAGE: page()}, __doc__))
