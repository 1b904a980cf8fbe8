"""Facts of composed functions, kept in the user's cache folder as JSON: finding them takes up to a second.

A file holds the facts and a hash of them; one that is damaged, or was made from other facts of the parts or
by another version of the method, is as good as none. Nothing here ever fails: without a folder to write to,
facts are found again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any, TypeVar

import platformdirs
import torch

from genbab.nonlinear.expressions.expression import Expression
from genbab.nonlinear.expressions.steps import Apply
from genbab.nonlinear.facts.record import Nonlinearity

METHOD = 4
"""Count this up whenever the way of finding facts changes."""

_Facts = TypeVar("_Facts")


def folder() -> Path:
    """Where facts are kept."""
    return Path(platformdirs.user_cache_dir("genbab", appauthor=False)) / "facts"


def key(expression: Expression) -> str:
    """A hash of the expression, of the facts of its parts, and of the method."""
    text = [str(METHOD), expression.spelling]
    for step in expression.steps:
        if isinstance(step, Apply):
            fn = step.fn
            text.append(repr((fn.name, fn.params, fn.breaks, fn.curvature, fn.kinks, fn.jumps, fn.turns)))
            text.append(repr((fn.period, fn.rise, fn.domain, fn.bounds, fn.noise, fn.drift)))
            text.append(_sampled(fn))
    return hashlib.sha256("\n".join(text).encode()).hexdigest()


def _sampled(fn: Nonlinearity) -> str:
    """Values and slopes at some points: two functions may share a name and all other facts."""
    places = torch.logspace(-6.0, 3.0, 91, dtype=torch.float64)
    x = torch.cat([-places, places, *(b + torch.linspace(-0.5, 0.5, 21).double() for b in fn.breaks)])
    x = x.clamp(*fn.domain)
    shapes = [fn.value, fn.derivative] if fn.second is None else [fn.value, fn.derivative, fn.second]
    seen = [shape(x).double().numpy().tobytes() for shape in shapes]
    return hashlib.sha256(b"".join(seen)).hexdigest()


def recall(expression: Expression, kind: type[_Facts]) -> _Facts | None:
    """The facts as they were remembered, or None."""
    try:
        stored = json.loads((folder() / f"{key(expression)}.json").read_text())
        if stored["hash"] != _hash(stored["facts"]):
            return None
        return kind(**{name: _tuples(value) for name, value in stored["facts"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def remember(expression: Expression, facts: Any) -> None:
    """Keep the facts (a dataclass of numbers and tuples), if the folder can be written."""
    values = dataclasses.asdict(facts)
    text = json.dumps({"function": str(expression), "hash": _hash(values), "facts": values}, indent=1)
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=place, suffix=".part")
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.replace(name, place / f"{key(expression)}.json")
    except OSError:
        return


def _hash(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
