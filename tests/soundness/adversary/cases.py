"""One hard case: a model, a specification, what is right; and what genbab makes of it."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flint import arb

from genbab import Config, api
from genbab.errors import GenbabError
from genbab.reader import Model, load_onnx
from genbab.result import Result
from genbab.specs import Clause, Spec, parse_vnnlib

METHODS = ("interval", "backward")
"""How the outputs are bounded at points and on the box, besides the whole run."""

DECIDABLE = 1e-6
"""Relative margin above which an answer is asked for."""


@dataclass(frozen=True)
class Known:
    """What the graph gives at a point x (D,): every output lies between two rational numbers."""

    x: tuple[float, ...]
    y: tuple[tuple[Fraction, Fraction], ...]


@dataclass(frozen=True, eq=False)
class Case:
    """A question whose answer is known.

    wrong: the verdicts that would be false. margin: relative room of a property that holds, where an
    answer is asked for if it is large enough. known: points of the box, where bounds must hold (thorough: by
    every method, and on the whole box). check: the model is compared with onnxruntime on loading. judge: what
    is wrong with a result or refusal, "" for nothing.
    """

    kind: str
    seed: int
    model: bytes
    spec: Spec | str
    wrong: tuple[str, ...]
    why: str
    margin: float | None = None
    known: tuple[Known, ...] = ()
    check: bool = True
    thorough: bool = True
    seconds: float = 0.3
    settings: Mapping[str, Any] = field(default_factory=dict)
    judge: Callable[[Result | GenbabError], str] = lambda _: ""

    @property
    def decidable(self) -> bool:
        """Whether `verified` is asked for."""
        return self.margin is not None and self.margin > DECIDABLE

    @property
    def box(self) -> tuple[Any, Any]:
        """The first box (D,), (D,) of the specification."""
        spec = parse_vnnlib(self.spec) if isinstance(self.spec, str) else self.spec
        return spec.lower[0], spec.upper[0]


@dataclass(frozen=True)
class Outcome:
    """What genbab made of a case: a verdict, "refused" or "error", or "differs" where a proof is not
    believed because onnxruntime's rounding differs; wrong says what is false about it.
    """

    kind: str
    seed: int
    status: str
    wrong: str = ""
    decidable: bool = False
    why: str = ""


def ends(ball: arb) -> tuple[Fraction, Fraction]:
    """Rational numbers around a finite ball."""
    low, high = (_fraction(end) for end in (ball.lower(), ball.upper()))
    return low, high


def _fraction(exact: arb) -> Fraction:
    man, exponent = (int(part) for part in exact.man_exp())
    return Fraction(man) * Fraction(2) ** exponent


def exactly(values: Any) -> tuple[tuple[Fraction, Fraction], ...]:
    """Rational numbers as enclosures of no width."""
    return tuple((v, v) for v in np.asarray(values, dtype=object).reshape(-1))


def examined(case: Case) -> Outcome:
    """The outcome of a case: loaded, bounded at its points and on its box, and verified without an attack."""

    def outcome(status: str, wrong: str = "") -> Outcome:
        return Outcome(case.kind, case.seed, status, wrong, case.decidable, case.why)

    try:
        model = load_onnx(case.model, check=case.check)
        said = _bounds_fail(case, model.network)
        result = verified(case, model)
    except GenbabError as error:
        refused = error.exit_code in (2, 3)
        said = case.judge(error) if refused else f"{type(error).__name__}: {error}"
        return outcome("refused" if refused else "error", said)
    except Exception:
        return outcome("error", traceback.format_exc(limit=-4))
    if result.verdict in case.wrong:
        said = f"{result.verdict} (bound {result.bound}): {case.why}"
    said = said or case.judge(result)
    differs = result.verdict == "unknown" and "differs from onnxruntime" in result.reason
    return outcome("differs" if differs else str(result.verdict), said)


def verified(case: Case, model: Model) -> Result:
    """The result of a whole run."""
    seconds = 8 * case.seconds if case.decidable else case.seconds
    settings = {"timeout": seconds, "attack_restarts": 0, "root_steps": 5, "child_steps": 5, **case.settings}
    spec = parse_vnnlib(case.spec) if isinstance(case.spec, str) else case.spec
    return api.verify(model, spec, Config(**settings))


def _bounds_fail(case: Case, network: Any) -> str:
    """Which bound does not hold at a known point: of the point alone, or of the box."""
    if not case.known:
        return ""
    points = torch.tensor([known.x for known in case.known], dtype=torch.float64)
    low, high = (torch.from_numpy(np.array(end)) for end in case.box)
    inside = (points >= low).all(-1) & (points <= high).all(-1)
    for method in METHODS if case.thorough else METHODS[:1]:
        bounds = api.bounds(network, points, points, method, Config(root_steps=1))
        if said := _outside(case.known, bounds, f"{method} bounds of the point"):
            return said
    if case.thorough and bool(inside.any()):
        some = [known for known, here in zip(case.known, inside.tolist(), strict=True) if here]
        lower, upper = api.bounds(network, low, high, "backward", Config(root_steps=1))
        shape = len(some), lower.shape[-1]
        return _outside(some, (lower.expand(shape), upper.expand(shape)), "backward bounds of the box")
    return ""


def _outside(known: Sequence[Known], bounds: tuple[Any, Any], what: str) -> str:
    lower, upper = (end.reshape(len(known), -1).tolist() for end in bounds)
    for point, lows, highs in zip(known, lower, upper, strict=True):
        for k, ((least, most), low, high) in enumerate(zip(point.y, lows, highs, strict=True)):
            if not (low <= most and high >= least):  # a NaN is outside, too
                return f"{what} {list(point.x)}: output {k} is {float(least)!r}, not in [{low!r}, {high!r}]"
    return ""


def row_of(floats: Any) -> Any:
    """Floats as rational numbers."""
    return np.array([Fraction(float(v)) for v in floats] + [None], dtype=object)[:-1]


def kept(case: Case, outcome: Outcome, folder: Path) -> Path:
    """The folder into which a case was written: the model, the specification, what is right."""
    place = folder / f"{case.kind}_{case.seed}"
    place.mkdir(parents=True, exist_ok=True)
    (place / "model.onnx").write_bytes(case.model)
    if isinstance(case.spec, str):
        (place / "spec.vnnlib").write_text(case.spec)
    else:
        (place / "spec.json").write_text(json.dumps(plain_spec(case.spec), indent=1))
    known = [{"x": list(k.x), "y": [[str(a), str(b)] for a, b in k.y]} for k in case.known]
    said = {
        "wrong": case.wrong,
        "why": case.why,
        "found": outcome.wrong,
        "status": outcome.status,
        "check": case.check,
        "seconds": case.seconds,
        "settings": dict(case.settings),
        "margin": case.margin,
        "known": known,
    }
    (place / "right.json").write_text(json.dumps(said, indent=1))
    return place


def plain_spec(spec: Spec) -> dict[str, Any]:
    """A specification as plain numbers."""
    clauses = [
        {
            "box": c.box,
            "outputs": c.outputs.tolist(),
            "inputs": None if c.inputs is None else c.inputs.tolist(),
            "rhs": c.rhs.tolist(),
            "strict": None if c.strict is None else np.asarray(c.strict).tolist(),
        }
        for c in spec.clauses
    ]
    return {
        "lower": spec.lower.tolist(),
        "upper": spec.upper.tolist(),
        "clauses": clauses,
        "output_size": spec.output_size,
    }


def replayed(place: Path) -> Case:
    """The case that `kept` wrote."""
    said = json.loads((place / "right.json").read_text())
    spec: Spec | str
    if (place / "spec.vnnlib").exists():
        spec = (place / "spec.vnnlib").read_text()
    else:
        data = json.loads((place / "spec.json").read_text())
        parts = ("outputs", "inputs", "rhs", "strict")
        arrays: list[dict[str, Any]] = [
            {k: None if c[k] is None else np.array(c[k]) for k in parts} for c in data["clauses"]
        ]
        clauses = tuple(Clause(c["box"], **a) for c, a in zip(data["clauses"], arrays, strict=True))
        spec = Spec(np.array(data["lower"]), np.array(data["upper"]), clauses, data["output_size"])
    known = tuple(
        Known(tuple(k["x"]), tuple((Fraction(a), Fraction(b)) for a, b in k["y"])) for k in said["known"]
    )
    kind, _, seed = place.name.rpartition("_")
    options = {k: said[k] for k in ("why", "margin", "check", "seconds", "settings")}
    return Case(
        kind,
        int(seed),
        (place / "model.onnx").read_bytes(),
        spec,
        tuple(said["wrong"]),
        known=known,
        **options,
    )
