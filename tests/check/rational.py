"""A second checker of proofs, for small networks of relu, leaky relu and abs, in rational arithmetic.

    python tests/check/rational.py MODEL.onnx SPEC.vnnlib PROOF EXTRA_SPLITS

Written from docs/proofs.md alone. Nothing is rounded but intervals and default slopes (to 2^-80). It knows no
bands (rule 3), ignores `functions`, reads < as <=, and eliminates where rows may be weighed (rule 6).
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import re
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import isfinite
from operator import mul
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx

GRID, ZERO, ONE = 1 << 80, Fraction(0), Fraction(1)
Span = tuple[Fraction, Fraction]
Spans = Mapping[int, Span]


class Sum(NamedTuple):
    """A sum of entries and a constant."""

    terms: Mapping[int, Fraction]
    constant: Fraction

    def ends(self, at: Spans) -> Span:
        """The least and the greatest value where the entries are in these intervals."""
        parts = [(c * at[j][c < 0], c * at[j][c > 0]) for j, c in self.terms.items()]
        return sum((p[0] for p in parts), self.constant), sum((p[1] for p in parts), self.constant)


class Bend(NamedTuple):
    """A function of one entry: x where x is above zero, a multiple of x, at most x, below."""

    of: int
    slope: Fraction

    def points(self, span: Span) -> list[Span]:
        """The ends and the kink, if inside, and values there, where f minus any line has its extremes."""
        return [(x, max(x, self.slope * x)) for x in (*span, min(max(span[0], ZERO), span[1]))]

    def line(self, span: Span, upper: bool, slope: Fraction | None) -> Span:
        """Slope and intercept of a line below or above; without a slope that of the middle or the chord."""
        points = self.points(span)
        chord = (points[1][1] - points[0][1]) / (span[1] - span[0] or ONE)
        default = chord if upper else ONE if span[0] + span[1] > 0 else self.slope
        k = hull((default, ZERO))[0] if slope is None else slope
        rests = [y - k * x for x, y in points]
        return k, max(rests) if upper else min(rests)


class Clause(NamedTuple):
    """A disjunct: a box of inputs, and sums of entries that are to be at most zero."""

    box: Spans
    rows: Sequence[Sum]

    def left(self, forms: Sequence[Sum], box: Spans) -> Spans:
        """Where in the box all forms, which are below the rows, can be at most zero; empty if nowhere."""
        box = {j: both(span, box[j]) for j, span in self.box.items()}
        cut = dict(box)
        for form in forms:
            least = form.ends(box)[0]
            for j, c in form.terms.items():
                end = box[j][c < 0] - least / c
                cut[j] = both(cut[j], (cut[j][0], end) if c > 0 else (end, cut[j][1]))
        groups = itertools.combinations(forms, min(3, len(forms)))
        some = all(low <= high for low, high in cut.values()) and all(meet(group, box) for group in groups)
        return cut if some else {}


def both(a: Span, b: Span) -> Span:
    """What two intervals share."""
    return max(a[0], b[0]), min(a[1], b[1])


def hull(*spans: Span) -> Span:
    """An interval around these whose ends are short."""
    low, high = min(span[0] for span in spans), max(span[1] for span in spans)
    return Fraction(low * GRID // 1, GRID), -Fraction(-high * GRID // 1, GRID)


def combined(*parts: tuple[Fraction, Sum]) -> Sum:
    """A sum of multiples of sums."""
    total: dict[int, Fraction] = defaultdict(Fraction)
    for a, some in parts:
        for j, c in some.terms.items():
            total[j] += a * c
    return Sum({j: c for j, c in total.items() if c}, sum((a * some.constant for a, some in parts), ZERO))


def meet(forms: Sequence[Sum], box: Spans) -> bool:
    """Whether a point of the box makes every form at most zero (Fourier and Motzkin)."""
    rest = [*forms, *(Sum({j: s}, -s * box[j][s > 0]) for j in box for s in (ONE, -ONE))]
    for j in box if len(forms) > 1 else ():
        signed = [(form.terms.get(j, ZERO), form) for form in rest]
        pairs = [(one, two) for one, two in itertools.product(signed, signed) if one[0] > 0 > two[0]]
        rest = [form for c, form in signed if not c]
        rest += [combined((-d, one), (c, two)) for (c, one), (d, two) in pairs]
        if any(form.constant > 0 and not form.terms for form in rest):
            return False
    return all(form.ends(box)[0] <= 0 for form in forms)


def meaning(words: Iterator[str], places: Mapping[str, int]) -> Any:
    """What stands after a bracket: a sum, or a disjunction of lists of sums that are to be at most zero."""
    op, parts = next(words), []
    for word in iter(lambda: next(words), ")"):
        if word == "(":
            parts.append(meaning(words, places))
        elif op != "declare-const":
            parts.append(Sum({places[word]: ONE}, ZERO) if word in places else Sum({}, Fraction(word)))
    if op in ("or", "assert"):
        return [rows for part in parts for rows in part]
    if op in ("and", "declare-const"):
        return [[one for rows in some for one in rows] for some in itertools.product(*parts)]
    if op == "*":
        return combined((parts[0].constant, parts[1]))
    sign = {"+": ONE, "-": -ONE, "<=": ONE, "<": ONE, ">=": -ONE, ">": -ONE}[op]
    if op in ("+", "-"):
        return combined((ONE if parts[1:] else sign, parts[0]), *((sign, part) for part in parts[1:]))
    return [[combined((sign, parts[0]), (-sign, parts[1]))]]


def clauses(text: str, places: Mapping[str, int], inputs: int) -> Iterator[Clause]:
    """The disjuncts of a specification; bounds of single inputs make boxes, all else rows."""
    for rows in meaning(iter(re.findall(r"[()]|[^\s()]+", re.sub(";.*", "", f"and {text}\n)"))), places):
        ends: list[dict[int, list[Fraction]]] = [defaultdict(list), defaultdict(list)]
        bounds = [row for row in rows if len(row.terms) == 1 and min(row.terms) < inputs]
        for terms, constant in bounds:
            ((j, c),) = terms.items()
            ends[c > 0][j].append(-constant / c)
        box = {j: (max(ends[0][j]), min(ends[1][j])) for j in range(inputs)}
        yield Clause(box, [row for row in rows if row not in bounds])


class Check:
    """A check of a proof; what is rejected raises `ValueError`, or what Python raises of nonsense."""

    def __init__(self, model: Path, spec: Path, proof: Path) -> None:
        self.network(onnx.load(model).graph)
        with zipfile.ZipFile(proof) as file:
            head = json.loads(file.read("header.json"))
            names = sorted(name for name in file.namelist() if name.endswith(".npy"))
            self.arrays = {name: np.load(io.BytesIO(file.read(name))).tolist() for name in names}
        for name, path in (("model", model), ("specification", spec)):
            if head[name]["sha256"] != hashlib.sha256(path.read_bytes()).hexdigest():
                raise ValueError(f"another {name}")
        ends = [
            [list(map(Fraction, x)) for x in self.arrays[f"boxes/{end}.npy"]] for end in ("lower", "upper")
        ]
        self.boxes = [list(zip(*pair, strict=True)) for pair in zip(*ends, strict=True)]
        self.hints, self.tree = head.get("hints", []), dict[int, tuple[int, int, Fraction]]()
        self.about = {int(k): what for k, what in head.get("about", {}).items()}
        tensors = [*(self.tensors[name] for name in head.get("tensors", [])), list(self.inputs)]
        splits = [one for name in names if name.startswith("splits/") for one in self.arrays[name]]
        for j, (node, tensor, entry, point) in enumerate(splits):
            child, named = len(self.boxes) + 2 * j, -1 <= tensor < len(tensors) - 1
            if node in self.tree or not 0 <= node < child or entry < 0 or not named:
                raise ValueError(f"split {j}")
            self.tree[node] = (child, tensors[tensor][entry], Fraction(point))
        places = {f"X_{j}": j for j in self.inputs} | {f"Y_{j}": i for j, i in enumerate(self.outputs)}
        self.clauses = list(clauses(spec.read_text(), places, len(self.inputs)))

    def network(self, graph: onnx.GraphProto) -> None:
        """Read a model of one input and one output: each entry is a function of earlier ones."""
        self.inputs = range(int(np.prod([d.dim_value for d in graph.input[0].type.tensor_type.shape.dim])))
        self.cells: list[Sum | Bend | None] = [None for _ in self.inputs]
        self.tensors = {graph.input[0].name: list(self.inputs)}
        held = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
        for node in graph.node:
            x, first = self.tensors[node.input[0]], len(self.cells)
            if node.op_type == "Gemm" and not node.attribute:
                w, b = (held[name].T.tolist() for name in node.input[1:])
                rows = [{j: Fraction(c) for j, c in zip(x, row, strict=True) if c} for row in w]
                self.cells += map(Sum, rows, map(Fraction, b))
            else:
                slopes = {"Relu": [0.0], "LeakyRelu": [a.f for a in node.attribute], "Abs": [-1.0]}
                self.cells += [Bend(i, Fraction(*slopes[node.op_type])) for i in x]
            self.tensors[node.output[0]] = list(range(first, len(self.cells)))
        self.outputs = self.tensors[graph.output[0].name]

    def least(self, row: Sum, values: Spans, slopes: Mapping[int, Any]) -> Sum:
        """A form in the inputs that is at most the row (rule 5)."""
        terms, constant = defaultdict(Fraction, row.terms), row.constant
        for i in range(len(self.cells) - 1, len(self.inputs) - 1, -1):
            a, cell = terms.pop(i, ZERO), self.cells[i]
            if isinstance(cell, Bend) and a:
                k, upper = slopes.get(i, (0.0, a >= 0))
                given = Fraction(k) if upper is None or bool(upper) == (a < 0) else None
                slope, shift = cell.line(values[cell.of], a < 0, given)
                cell = Sum({cell.of: slope}, shift)
            if isinstance(cell, Sum) and a:
                constant += a * cell.constant
                for j, w in cell.terms.items():
                    terms[j] += a * w
        return Sum({j: c for j, c in terms.items() if c}, constant)

    def values(self, known: Spans) -> dict[int, Span]:
        """Intervals of all entries (rule 3), those of bent functions backward, too; empty if one is."""
        found: dict[int, Span] = {}
        bent = {cell.of: cell.slope for cell in self.cells if isinstance(cell, Bend)}
        for i, cell in enumerate(self.cells):
            if isinstance(cell, Bend):
                span = hull(*((y, y) for _, y in cell.points(found[cell.of])))
            else:
                span = known[i] if cell is None else cell.ends(found)
            found[i] = both(span, known.get(i, span))
            if bent.get(i) or (i in bent and found[i][0] < 0 < found[i][1]):
                low, high = (self.least(Sum({i: s}, ZERO), found, {}).ends(found)[0] for s in (ONE, -ONE))
                found[i] = both(found[i], hull((low, -high)))
        return found if all(low <= high for low, high in found.values()) else {}

    def run(self, halvings: int) -> int:
        """The number of nodes; each disjunct is refuted in its own box, or in the first that it fits in."""
        some: dict[int, list[Clause]] = defaultdict(list)
        for one in self.clauses:
            spans = one.box.items()
            fits = [k for k, box in enumerate(self.boxes) if all(both(box[j], s) == s for j, s in spans)]
            about = {k: self.about[k] for k in fits if k in self.about}
            ours = {k: all(self.nearest(a, row)[0] > 1 - 1e-9 for row in one.rows) for k, a in about.items()}
            some[max(fits, key={**dict.fromkeys(fits, 0.5), **ours}.__getitem__)].append(one)
        hulls = {k: {j: hull(*(one.box[j] for one in ours)) for j in self.inputs} for k, ours in some.items()}
        return sum(self.visit(k, hulls[k], some[k], {}, halvings) for k in some)

    def nearest(self, hint: Any, row: Sum) -> tuple[float, int]:
        """The row of a hint that points most like this one, after the square of their cosine, signed."""
        rows, first = self.arrays[hint["rows"]] if hint.get("rows") else [], hint.get("first", 0)
        aim, best = [float(row.terms.get(i, ZERO)) for i in self.outputs], (-2.0, 0)
        for r, one in enumerate(rows[first:][: hint.get("count")]):
            dot, a, b = (sum(map(mul, *pair)) for pair in ((aim, one), (one, one), (aim, aim)))
            best = max(best, (dot * abs(dot) / (a * b or 1.0), -r))
        return best[0], -best[1]

    def form(self, hint: Any, r: int, row: Sum, values: Spans) -> Sum:
        """A form below a row, with the slopes of a hint's row r; a slope that is no number is 0."""
        found: dict[int, tuple[float, Any]] = {}
        for part in hint.get("slopes", []):
            cells, given = self.tensors[part["out"]], self.arrays[part["slopes"][0]]
            upper = self.arrays[part["upper"]] if part.get("upper") else [[None] * len(cells)]
            k, above = (a[hint.get("first", 0) + r if len(a) > 1 else 0] for a in (given, upper))
            found |= {i: (c if isfinite(c) else 0.0, u) for i, c, u in zip(cells, k, above, strict=True)}
        return self.least(row, values, found)

    def hinted(self, node: int, values: dict[int, Span], hint: Any) -> Any:
        """The hint for rows at a node; the intervals of the targets of its hints are cut."""
        of = self.about.get(node, {"box": node})["box"]
        for one in (one for k in dict.fromkeys((of, node)) for one in self.hints if one["node"] == k):
            hint = hint if one.get("target") else one
            at = self.tensors[one["target"]] if one.get("target") else []
            signed = itertools.product((ONE, -ONE), self.arrays[one["entries"]] if at else [])
            for r, (s, e) in enumerate(signed):
                end = s * self.form(one, r, Sum({at[e]: s}, ZERO), values).ends(values)[0]
                low, high = values[at[e]]
                values[at[e]] = hull((max(low, end), high) if s > 0 else (low, min(high, end)))
        return hint

    def visit(self, node: int, known: Spans, some: Sequence[Clause], hint: Any, halvings: int) -> int:
        """The number of nodes below this one, where all these disjuncts are refuted."""
        values = self.values(known)
        hint = self.hinted(node, values, hint) if values else hint
        for again in (False, True):
            values, kept = self.values(values) if again else values, []
            for clause in some if values else ():
                plain = [*clause.rows, *(self.least(row, values, {}) for row in clause.rows)]
                forms = [self.form(hint, self.nearest(hint, row)[1], row, values) for row in clause.rows]
                left = all(form.ends(values)[0] <= 0 for form in plain) and clause.left(forms, values)
                kept += [(clause, left, forms)] if left else []
            if not kept:
                return 1
            some, lefts, every = zip(*kept, strict=True)
            for j in self.inputs:
                values[j] = hull(*(left[j] for left in lefts))
        if node not in self.tree and not halvings:
            raise ValueError(f"node {node} is not refuted")
        size = [max(abs(f.terms.get(j, ZERO)) for forms in every for f in forms) for j in self.inputs]
        wide = [(size[j] + sum(size) / len(size)) * (values[j][1] - values[j][0]) for j in self.inputs]
        i = wide.index(max(wide))
        child, i, point = self.tree.get(node, (-2, i, sum(values[i], ZERO) / 2))
        halvings, (low, high) = halvings - (node not in self.tree), values[i]
        parts = [{**values, i: both((low, high), side)} for side in ((low, point), (point, high))]
        return 1 + sum(self.visit(child + s, part, some, hint, halvings) for s, part in enumerate(parts))


if __name__ == "__main__":
    sys.stdout.write(f"accepted: {Check(*map(Path, sys.argv[1:4])).run(int(sys.argv[4]))} nodes\n")
