"""What studies give back: frozen values with rows for tables and JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genbab.result import plain

SCHEMA = 1
Bools = NDArray[np.bool_]
Row = dict[str, Any]
STATUS = {"verified": "certified", "falsified": "attacked", "misclassified": "misclassified"}


@dataclass(frozen=True, eq=False)
class Sample:
    """One sample of a certified accuracy.

    status: "certified" (right, and no input of the ball changes the class), "attacked" (right, and
    `counterexample` (D,), replayed in onnxruntime, changes it), "misclassified" (wrong without any change),
    or "unknown", for which `reason` says what to try. `bound` is the worst certified margin, None if there
    is none.
    """

    index: int
    label: int
    predicted: int | None
    status: str
    seconds: float
    bound: float | None
    reason: str
    counterexample: NDArray[np.float32] | None = None

    def row(self) -> Row:
        """The fields but for the counterexample."""
        names = ("index", "label", "predicted", "status", "seconds", "bound", "reason")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, eq=False)
class CertifiedAccuracy:
    """How many samples a model gets right, and keeps right for every input within eps (in `norm`)."""

    model: str
    eps: float
    norm: str
    samples: tuple[Sample, ...]

    @property
    def clean(self) -> Bools:
        """Per sample (N,): right as it is (not known of a sample that ended in an error)."""
        return self._where(lambda s: s.status != "misclassified" and s.predicted == s.label)

    @property
    def attacked(self) -> Bools:
        """Per sample (N,): right, but a counterexample was found."""
        return self._where(lambda s: s.status == "attacked")

    @property
    def certified(self) -> Bools:
        """Per sample (N,): proved to stay right."""
        return self._where(lambda s: s.status == "certified")

    @property
    def unknown(self) -> Bools:
        """Per sample (N,): neither."""
        return self._where(lambda s: s.status == "unknown")

    def _where(self, condition: Callable[[Sample], bool]) -> Bools:
        return np.array([condition(s) for s in self.samples], bool)

    @property
    def clean_accuracy(self) -> float:
        """The share of samples that are right as they are."""
        return float(self.clean.mean())

    @property
    def attacked_accuracy(self) -> float:
        """The share that is not known to be wrong, as it is or after a change.

        The robust accuracy is at most this.
        """
        return float(self._where(lambda s: s.status not in ("misclassified", "attacked")).mean())

    @property
    def certified_accuracy(self) -> float:
        """The share that is proved to stay right: the robust accuracy is at least this."""
        return float(self.certified.mean())

    @property
    def reason(self) -> str:
        """What is open and what to try next."""
        return advice([s.reason for s in self.samples if s.status == "unknown"], len(self.samples))

    def rows(self) -> list[Row]:
        """One flat dictionary per sample: `pandas.DataFrame(result.rows())`."""
        return [{"model": self.model, "eps": self.eps, "norm": self.norm, **s.row()} for s in self.samples]

    def to_json(self, indent: int | None = 2) -> str:
        """Strict JSON, schema 1: the shares, and per sample its row and counterexample."""
        shares = {n: getattr(self, n) for n in ("clean_accuracy", "attacked_accuracy", "certified_accuracy")}
        found = [{**s.row(), "counterexample": s.counterexample} for s in self.samples]
        head = {"schema": SCHEMA, "model": self.model, "eps": self.eps, "norm": self.norm}
        whole = {**head, **shares, "reason": self.reason, "samples": found}
        return json.dumps(plain(whole), indent=indent, allow_nan=False)

    def __str__(self) -> str:
        """A table of the shares, and what is open."""
        return f"{Comparison({self.model: self})}\n{self.reason}"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Certified accuracies of several models on the same samples, by name."""

    models: dict[str, CertifiedAccuracy]

    def rows(self) -> list[Row]:
        """One flat dictionary per model and sample."""
        return [row for one in self.models.values() for row in one.rows()]

    def to_json(self, indent: int | None = 2) -> str:
        """Strict JSON, schema 1: by name what `CertifiedAccuracy.to_json` has."""
        found = {name: json.loads(one.to_json()) for name, one in self.models.items()}
        return json.dumps({"schema": SCHEMA, "models": found}, indent=indent, allow_nan=False)

    def __str__(self) -> str:
        """A table with one line per model."""
        lines: list[tuple[str, ...]] = [
            ("model", "eps", "samples", "clean", "attacked", "certified", "unknown")
        ]
        for name, one in self.models.items():
            shares = (
                one.clean_accuracy,
                one.attacked_accuracy,
                one.certified_accuracy,
                float(one.unknown.mean()),
            )
            lines.append((name, f"{one.eps:.4g}", str(len(one.samples)), *(f"{s:.1%}" for s in shares)))
        return aligned(lines)


@dataclass(frozen=True, eq=False)
class Radius:
    """One sample of certified radii.

    certified: no input within this distance changes the class (0.0: nothing was shown); broken: an input at
    this distance does, `counterexample` (D,), or None. A misclassified sample has both 0.0.
    """

    index: int
    label: int
    predicted: int | None
    certified: float
    broken: float | None
    seconds: float
    reason: str
    counterexample: NDArray[np.float32] | None = None

    def row(self) -> Row:
        """The fields but for the counterexample."""
        names = ("index", "label", "predicted", "certified", "broken", "seconds", "reason")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, eq=False)
class CertifiedRadius:
    """Per sample, how far its inputs may be moved (in `norm`), enclosed from both sides, up to `largest`."""

    model: str
    largest: float
    norm: str
    samples: tuple[Radius, ...]

    @property
    def certified(self) -> NDArray[np.float64]:
        """The certified radii (N,)."""
        return np.array([s.certified for s in self.samples])

    @property
    def broken(self) -> NDArray[np.float64]:
        """The distances of the nearest counterexamples found (N,), inf where there is none."""
        return np.array([np.inf if s.broken is None else s.broken for s in self.samples])

    @property
    def reason(self) -> str:
        """What is open and what to try next."""
        return advice([s.reason for s in self.samples if "try" in s.reason], len(self.samples))

    def rows(self) -> list[Row]:
        """One flat dictionary per sample."""
        return [{"model": self.model, "norm": self.norm, **s.row()} for s in self.samples]

    def to_json(self, indent: int | None = 2) -> str:
        """Strict JSON, schema 1."""
        found = [{**s.row(), "counterexample": s.counterexample} for s in self.samples]
        head = {"schema": SCHEMA, "model": self.model, "largest": self.largest, "norm": self.norm}
        return json.dumps(
            plain({**head, "reason": self.reason, "samples": found}), indent=indent, allow_nan=False
        )

    def __str__(self) -> str:
        """A table with one line per sample."""
        lines = [("sample", "label", "certified", "broken", "seconds")]
        for s in self.samples:
            broken = "" if s.broken is None else f"{s.broken:.4g}"
            lines.append((str(s.index), str(s.label), f"{s.certified:.4g}", broken, f"{s.seconds:.1f}"))
        return f"{aligned(lines)}\n{self.reason}"


def advice(open_reasons: Sequence[str], count: int) -> str:
    """How many of `count` samples are open, and the reasons, the most frequent first."""
    if not open_reasons:
        return f"all {count} samples are decided"
    told = "; ".join(f"{n}: {reason}" for reason, n in Counter(open_reasons).most_common(3))
    return f"{len(open_reasons)} of {count} samples are open ({told})"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """The lines as columns, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = (
        [
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    )
    return "\n".join("  ".join(row) for row in rows)
