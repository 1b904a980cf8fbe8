"""`genbab run` whose verifications are short sleeps with fixed outcomes: `python stand_in.py run LIST`."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Sequence

from genbab.cli import main
from genbab.cli.many import child, order
from genbab.cli.many.child import ChildOutcome, Children

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(0.03)"]


def verify_apart(words: Sequence[str], timeout: float | None, children: Children) -> ChildOutcome:
    """An outcome that depends on the file names only."""
    end = child.run_child(SLEEP, 20.0, children=children)
    number = zlib.crc32("/".join(w.rpartition("/")[2] for w in words[:2]).encode())
    verdict = ("verified", "falsified", "unknown")[number % 3]
    return ChildOutcome(verdict, number % 97 / 10, number % 89 / 10, "why", None, end.code, None)


vars(order)["verify_apart"] = verify_apart
sys.exit(main(sys.argv[1:]))
