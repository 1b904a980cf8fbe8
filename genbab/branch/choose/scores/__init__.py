"""The scores that users can name: one file each, whose `SCORE` says how it is made."""

from __future__ import annotations

import importlib
import pkgutil

from genbab.branch.choose.score import NamedScore

NAMES = tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))
"""The names of all scores: those of the files here."""


def named(name: str) -> NamedScore:
    """The score of this name, one of `NAMES`."""
    found = importlib.import_module(f"{__name__}.{name}").SCORE
    assert isinstance(found, NamedScore)
    return found
