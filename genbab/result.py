"""What a run found: verdict, certified bound, counterexample, statistics, and their JSON form.

JSON form, `schema` 1, strict JSON (no NaN, no Infinity literals):

    {"schema": 1, "verdict": "verified" | "falsified" | "unknown" | "timeout", "seconds": number,
     "bound": number | "inf" | "-inf" | null, "reason": string, "model": string, "spec": string,
     "counterexample": null | {"x": [number], "y": [number], "clause": integer, "distance": number},
     "runtime": string,
     "statistics": {string: number | string | list}}

`runtime` says where onnxruntime's default session, which rewrites models, disagrees with the file as it is
written or cannot run it; "" where nothing of the kind was seen.

Statistics, where they apply: "domains" bounded; "compared": inputs at which a proof was checked against
onnxruntime; "seconds STAGE"; "gain predicted" and "gain realised": the
mean over all splits (but those of pure input splitting) of what a split was expected to and did add to the
worst margin, both children put together as (√a + √b)² / 4, and "gain correlation" of the two; "history": the
bound against time, lists of [seconds, bound, open domains, domains]; "proof": the file of a proof, or why
there is none; "checkpoint": the file that the run is kept in and can go on from, or why there is none;
"earlier seconds": what the runs before it took, where it was taken up; "proof_check": what the checker said
of it, {"outcome": "accepted" | "rejected" | "refused" | "not checked", "reason", "checker" (its version),
"seconds", "bytes"}; "layers": how wide the arguments of nonlinear nodes were at the root, on its least
refuted box: {"node", "name", "function", "neurons", "mean", "widest"} each, and "gap", what of the gap the
node is responsible for; "gap": {"clause", "bound", "value"}, the margin of one row by one pass at the root,
and the network's own where that bound is attained: the layers' parts add up to value - bound; "inputs":
{"name", "shape"} each; "box": {"lower", "upper"}, the box that holds the counterexample, to seven digits.

Numbers that JSON cannot hold are the strings "inf", "-inf" and "nan", here and inside `statistics`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCHEMA = 1


class Verdict(StrEnum):
    """The answer; `unknown` and `timeout` claim nothing."""

    VERIFIED = "verified"
    FALSIFIED = "falsified"
    UNKNOWN = "unknown"
    TIMEOUT = "timeout"


@dataclass(frozen=True)
class Progress:
    """Where a run stands: stage in words, worst certified margin, open domains, domains bounded so far."""

    stage: str
    bound: float | None = None
    open: int = 0
    domains: int = 0


@dataclass(frozen=True, eq=False)
class Counterexample:
    """An input x (D,) in its box whose onnxruntime output y (O,) makes unsafe clause `clause` true.

    x holds numbers of the model's own type: its dtype is float32 where that can say them, else float64, and
    int64 where all entries are integers by their type; integers (D,) marks those that are (None: none).
    distance: 0, or no entry of x lies farther from its box, where the box holds no such number: then x is the
    point next to it, and some real point of the box violates the clause, too.
    """

    x: NDArray[Any]
    y: NDArray[np.floating[Any]]
    clause: int = 0
    distance: float = 0.0
    integers: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        x = np.array(self.x, dtype=np.float64).reshape(-1)
        object.__setattr__(self, "y", np.array(self.y).reshape(-1))
        if not (np.isfinite(x).all() and np.isfinite(self.y).all()):
            raise ValueError("a counterexample must be finite")
        mine = None if self.integers is None else np.array(self.integers, np.bool_).reshape(-1)
        if mine is not None and (mine.shape != x.shape or (x[mine] != np.rint(x[mine])).any()):
            raise ValueError("integers of a counterexample must be whole numbers")
        object.__setattr__(self, "integers", mine if mine is not None and mine.any() else None)
        with np.errstate(over="ignore"):
            single = x.astype(np.float32)
        kept: NDArray[Any] = single if np.array_equal(single, x) else x
        if mine is not None and len(mine) and mine.all():
            kept = x.astype(np.int64)
        object.__setattr__(self, "x", kept)

    def numbers(self) -> list[int | float]:
        """The entries of x as Python values: integers where they are such by their type."""
        mine = np.zeros(len(self.x), np.bool_) if self.integers is None else self.integers
        return [
            int(v) if whole else float(v) for v, whole in zip(self.x.tolist(), mine.tolist(), strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form as Python values."""
        point = {"x": self.numbers(), "y": self.y.tolist()}
        return {**point, "clause": int(self.clause), "distance": float(self.distance)}

    def to_witness(self) -> str:
        """The VNN-COMP 1.0 witness: `((X_0 v)` ... `(Y_n v))`, 17 significant digits, flat index order."""
        pairs = [f"(X_{i} {v:.17g})" for i, v in enumerate(self.x.tolist())]
        pairs += [f"(Y_{i} {v:.17g})" for i, v in enumerate(self.y.tolist())]
        return "(" + "\n".join(pairs) + ")\n"


@dataclass(frozen=True, eq=False)
class Result:
    """The outcome of a run.

    `bound` is the worst certified margin over the clauses of the specification (positive: verified; None:
    none was computed), `reason` a sentence for people, `seconds` wall time. `verified` never has a bound
    that is NaN or not positive, `falsified` always with a counterexample: anything else raises `ValueError`.
    `runtime` is what people should know of onnxruntime's sessions, or "". arithmetic: the numbers that a
    proof and a counterexample are about (`Config.arithmetic`).
    """

    verdict: Verdict
    seconds: float
    bound: float | None = None
    reason: str = ""
    counterexample: Counterexample | None = None
    statistics: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    spec: str = ""
    runtime: str = ""
    arithmetic: str = "real"

    def __post_init__(self) -> None:
        object.__setattr__(self, "verdict", Verdict(self.verdict))
        if self.bound is not None:
            object.__setattr__(self, "bound", float(self.bound))
        if self.verdict is Verdict.VERIFIED and self.bound is not None and not self.bound > 0:
            raise ValueError(f"verified with the bound {self.bound}")
        if (self.verdict is Verdict.FALSIFIED) != (self.counterexample is not None):
            raise ValueError(
                f"{self.verdict} {'without' if self.counterexample is None else 'with'} a counterexample"
            )
        if self.bound is not None and math.isnan(self.bound):
            object.__setattr__(self, "bound", None)

    def __bool__(self) -> bool:
        """Not defined: raises `TypeError`, so that `assert verify(...)` does not pass whatever comes out."""
        raise TypeError(
            f"a Result is neither true nor false; ask for its verdict ({self.verdict.value!r} here): "
            "result.verdict == 'verified'"
        )

    def to_dict(self) -> dict[str, Any]:
        """The JSON form as Python values."""
        found = self.counterexample
        return {
            "schema": SCHEMA,
            "verdict": self.verdict.value,
            "seconds": round(float(self.seconds), 4),
            "bound": plain(self.bound),
            "reason": self.reason,
            "model": self.model,
            "spec": self.spec,
            "counterexample": None if found is None else found.to_dict(),
            "runtime": self.runtime,
            "arithmetic": self.arithmetic,
            "statistics": plain(dict(self.statistics)),
        }

    def to_json(self, indent: int | None = 2) -> str:
        """The JSON form as text."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Result:
        """The result that `to_json` wrote; raises `ValueError` for anything else."""
        data = json.loads(text)
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise ValueError(f"not a genbab result of schema {SCHEMA}")
        found = data["counterexample"]
        example = None
        if found is not None:
            distance = float(found.get("distance", 0.0))  # older files have none
            x, integers = found["x"], np.array([isinstance(v, int) for v in found["x"]], np.bool_)
            example = Counterexample(
                np.array(x, np.float64), np.array(found["y"]), int(found["clause"]), distance, integers
            )
        bound = None if data["bound"] is None else float(data["bound"])
        return cls(
            verdict=Verdict(data["verdict"]),
            seconds=float(data["seconds"]),
            bound=bound,
            reason=str(data["reason"]),
            counterexample=example,
            statistics=data["statistics"],
            model=str(data["model"]),
            spec=str(data["spec"]),
            runtime=str(data.get("runtime", "")),
            arithmetic=str(data.get("arithmetic", "real")),
        )


def plain(value: Any) -> Any:
    """The value in strict JSON's types: arrays and numpy numbers unpacked, numbers JSON lacks as strings."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
