"""All families: those that the modules in the folders of topics list as `FAMILIES`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable

import zoo
from zoo.family import Family

TOPICS = {
    "activations": "Activations",
    "norms": "Norms",
    "attention": "Attention and mixing",
    "sequences": "Sequences",
    "gates": "Gates, graphs and fusion",
    "discrete": "Steps, codes and choices",
    "operators": "Operators between functions",
    "physics": "Physics and control",
    "generative": "Flows, denoisers and equilibria",
}
"""The folders, in the order of the page, and their headings there."""


def families(topics: Iterable[str] = TOPICS) -> dict[str, Family]:
    """The families of these topics by name, in order."""
    found: dict[str, Family] = {}
    for topic in topics:
        places = pkgutil.iter_modules([f"{zoo.__path__[0]}/{topic}"], f"zoo.{topic}.")
        for place in sorted(place.name for place in places):
            for family in getattr(importlib.import_module(place), "FAMILIES", ()):
                assert family.name not in found, f"two families are called {family.name}"
                found[family.name] = family
    return found


def chosen(names: list[str]) -> list[Family]:
    """The families of these names, all if there are none; exits with a message for a name that is unknown."""
    known = families()
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"no family is called {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in names or known]
