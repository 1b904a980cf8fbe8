"""Models of one operator: what the tests of every operator, and the table of operators, are made from.

Each file of this folder has a list `CASES`; `by_operator` has them all.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from tests.reader.cases.case import Case, case, written

__all__ = ["Case", "by_operator", "case", "every_case", "written"]


def every_case() -> list[Case]:
    """The cases of all files."""
    found: list[Case] = []
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        found += getattr(import_module(f"{__name__}.{module.name}"), "CASES", [])
    return found


def by_operator() -> dict[str, list[Case]]:
    """Operator to its cases, in alphabetical order."""
    found: dict[str, list[Case]] = {}
    for one in every_case():
        found.setdefault(one.operator, []).append(one)
    return dict(sorted(found.items()))
