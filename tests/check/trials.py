"""What the checker says of changed proofs, and whether it may."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from genbab.check.failures import Rejected, Unusable
from genbab.check.question import Limits, load
from genbab.check.tree import Check
from tests.check.damage import CHANGES
from tests.check.mutations import Draft, Generator, draft
from tests.check.subjects import Subject

LONGEST = 10.0
"""Seconds after which a check counts as one that hangs."""


class Trial(NamedTuple):
    """What was changed, whether the statement is false, what was said, and what is wrong with that."""

    change: str
    false: bool
    outcome: str
    finding: str


def changed(rng: Generator, some: Sequence[Subject]) -> tuple[str, Draft]:
    """A proof of one of the subjects, changed in one to three ways, and the name of the first one."""
    kind = int(rng.choice(5, p=(0.745, 0.16, 0.05, 0.03, 0.015)))  # those that take long are fewer
    subject = some[kind if kind < 4 else int(rng.integers(4, len(some)))]
    made = draft(rng, subject, false=bool(rng.random() < 0.85))
    ways = [CHANGES[int(i)] for i in rng.integers(len(CHANGES), size=int(rng.choice([1, 1, 1, 2, 3])))]
    for way in ways:
        with suppress(ValueError, TypeError, LookupError):  # after another change there may be nothing left
            way(rng, made)
    return ways[0].__name__, made


def tried(seed: int, folder: Path, some: Sequence[Subject], apart: bool = False) -> Trial:
    """One changed proof of this seed, checked in this process or in one of its own."""
    rng = np.random.default_rng(seed)
    change, made = changed(rng, some)
    parts = {"onnx": made.model, "vnnlib": made.spec}
    files = [folder / f"{hash(data)}.{name}" for name, data in parts.items()]
    for path, data in zip(files, parts.values(), strict=True):
        if not path.exists():
            path.write_bytes(data)
    files.append(folder / "proof")
    files[-1].write_bytes(made.file())
    false = made.spec.strip() == made.subject.false.encode()
    begin = time.monotonic()
    outcome, why = _apart(files) if apart else _within(files, int(rng.choice([0, 0, 0, 0, 0, 0, 0, 0, 0, 1])))
    seconds = time.monotonic() - begin
    wrong = [why] if outcome == "failed" else []
    if outcome == "accepted" and false:
        wrong.append("a false statement is accepted")
    if seconds > LONGEST and not apart:
        wrong.append(f"{seconds:.1f} s")
    where = f"seed {seed}, {change} of {made.subject.name}: "
    return Trial(change, false, outcome, where + "; ".join(wrong) if wrong else "")


def _within(files: Sequence[Path], halvings: int) -> tuple[str, str]:
    limits = Limits(halvings, LONGEST * 2, 1 << 26)
    try:
        Check(load(files[0], files[1], files[2], limits)).run()
    except Rejected as reason:
        return "rejected", str(reason)
    except (Unusable, MemoryError, RecursionError) as reason:
        return "refused", str(reason)
    except Exception as error:  # what the checker's command calls "cannot be checked"
        return "failed", f"{type(error).__name__}: {error}"[:200]
    return "accepted", ""


def _apart(files: Sequence[Path]) -> tuple[str, str]:
    words = [sys.executable, "-m", "genbab.check", *map(str, files), "--extra-splits", "1", "--memory", "64"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    said = (done.stdout + done.stderr).strip()
    known = {0: "accepted", 1: "rejected", 2: "refused"}.get(done.returncode, "failed")
    clear = len(said.splitlines()) == 1 and "cannot be checked" not in said
    return (known, said) if clear else ("failed", said[-200:])
