"""One act of bounding: a question about rows on boxes, answered from a start by a search and a certificate.

A question is what is asked: rows, boxes, intermediate bounds, premises. An answer holds the bound, the linear
form below the rows, and all that a proof of them needs: which lines and planes were taken (`starts`), with
which multipliers. Whatever found these is not part of the proof.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from genbab.bounds.ascent.adam import Steps
from genbab.bounds.ascent.multipliers import Multipliers, PremiseOutputs, Premises
from genbab.bounds.ascent.premises import premise_freedom
from genbab.bounds.ascent.slopes import Freedom, Objective, Searched, Stop, optimise
from genbab.bounds.engine import Engine, Relaxations
from genbab.bounds.nominal import PASS, STEP
from genbab.bounds.passes.certify import Certified, certify
from genbab.bounds.passes.taken import Rows, Start
from genbab.network import Network
from genbab.network.roundoff import Interval

NEARLY = 1e-4
"""A search ends once all bounds exceed what is needed by this much: what certifying may take from them."""


@dataclass(frozen=True, eq=False)
class Question:
    """How large rows are at least on boxes (B, D), given intermediate bounds: what is asked.

    freedom: arguments whose slopes may leave the range of f' (None: those with premises); premises: what
    holds at every point that counts: bounds are then of the rows at these points (None: nothing is known
    of the rows' node).
    """

    rows: Rows
    box: Interval
    relaxations: Relaxations
    freedom: Freedom | None = None
    premises: Premises | None = None

    def __post_init__(self) -> None:
        output = self.relaxations.exact.network.output
        assert self.premises is None or self.rows.target == output, "premises are of the outputs"

    @property
    def size(self) -> int:
        """Rows of all boxes."""
        return self.rows.matrix.shape[1] * max(len(self.box[0]), self.relaxations.exact.batch)


@dataclass(frozen=True, eq=False)
class WarmStart:
    """What a search may start from: slopes and sides per node, and the weights (B, S, K) of premises."""

    starts: Mapping[int, Start] = field(default_factory=dict)
    multipliers: Tensor | None = None

    def mapped(self, change: Callable[[Tensor], Tensor]) -> WarmStart:
        """With every tensor (B, S, ...) replaced by what `change` makes of it, always in the same order."""
        starts = {i: self.starts[i].mapped(change) for i in sorted(self.starts)}
        return WarmStart(starts, None if self.multipliers is None else change(self.multipliers))

    def with_slopes(self, change: Callable[[Tensor], Tensor]) -> WarmStart:
        """With every slope and weight replaced by what `change` makes of it, always in the same order."""
        starts = {
            i: Start(tuple(map(change, self.starts[i].slopes)), self.starts[i].upper)
            for i in sorted(self.starts)
        }
        return WarmStart(starts, None if self.multipliers is None else change(self.multipliers))

    def expanded(self) -> WarmStart:
        """With slopes that domains or rows share repeated for each."""
        starts = {
            i: Start(tuple(k.expand_as(one.upper) for k in one.slopes), one.upper)
            for i, one in self.starts.items()
        }
        return WarmStart(starts, self.multipliers)

    def take(self, which: Tensor) -> WarmStart:
        """The domains selected."""
        return self.mapped(lambda t: t[which])

    def rows(self, which: Tensor) -> WarmStart:
        """The rows selected by their numbers."""
        return self.mapped(lambda t: t[:, which])

    def one(self, box: int, row: int) -> WarmStart:
        """One row on one box; what all boxes or rows have in common stays as it is."""

        def part(whole: Tensor) -> Tensor:
            b, s = min(box, whole.shape[0] - 1), min(row, whole.shape[1] - 1)
            return whole[b : b + 1, s : s + 1]

        return self.mapped(part)


@dataclass(frozen=True, eq=False)
class Answer:
    """What is proved of a question's rows, and with what.

    certified: the proof's result; certificate: the lines and planes of every node (where one is missing,
    those by default) and the weights of premises; rows: those that the pass was made for, the question's and
    multiples of premises, and the price (B, S) of these; weights: the rows' coefficients (B, S, N) at every
    relaxed node, in the last pass of the search.
    """

    certified: Certified
    certificate: WarmStart
    rows: Rows
    weights: Mapping[int, Tensor] = field(default_factory=dict)
    price: Tensor | None = None

    @property
    def bound(self) -> Tensor:
        """Lower bounds (B, S) of the rows, over the reals."""
        return self.certified.bound


def answer(
    engine: Engine,
    question: Question,
    steps: Steps,
    start: WarmStart | None = None,
    stop: Stop | None = None,
) -> Answer:
    """The answer that so many steps of a search lead to, from the start, or from the default lines.

    `stop` is asked after each step with bounds (B, S) that are not certified, and may end the search.
    """
    exact, rows, box = question.relaxations.exact, question.rows, question.box
    engine.worked(PASS, question.size, rows.target)
    if not steps.count and start is None:
        return Answer(certify(exact, rows, box, {}), WarmStart(), rows)
    found, multipliers = search(engine, question, steps, start, stop)
    if multipliers is None:
        certified = certify(exact, rows, box, found.starts)
        return Answer(certified, WarmStart(found.starts), rows, found.weights)
    raised = multipliers.added(rows)
    price = multipliers.certain_price(rows)
    certified = _paid(certify(exact, raised, box, found.starts), price)
    return Answer(certified, WarmStart(found.starts, multipliers.weight), raised, found.weights, price)


def search(
    engine: Engine,
    question: Question,
    steps: Steps,
    start: WarmStart | None = None,
    stop: Stop | None = None,
) -> tuple[Searched, Multipliers | None]:
    """Slopes and multipliers that raise the bounds of a question's rows; nothing is certified."""
    start, intervals = start or WarmStart(), question.relaxations.intervals
    rows, box = question.rows.to(engine.dtype), engine.cast(question.box)
    multipliers, freedom = None, question.freedom
    if question.premises is not None:
        multipliers = Multipliers(question.premises, intervals, rows, start.multipliers)
    elif freedom is None and engine.search.premises:
        freedom = premise_freedom(engine.search, box, intervals, engine.dtype)
    objective = Objective(rows, box, freedom or Freedom({}), multipliers)
    asked = engine.asked if stop is None else stop
    found = optimise(question.relaxations.search, objective, steps, start.starts, asked)
    engine.worked(STEP, question.size, rows.target, found.passes)
    return found, multipliers


def output_premises(network: Network) -> Premises | None:
    """The premises that are known of the outputs; None where nothing is."""
    outputs = network.once(PremiseOutputs.of)
    return None if outputs is None else Premises(outputs)


def _paid(certified: Certified, price: Tensor) -> Certified:
    """What is proved of rows, where that is of the rows and multiples of premises that cost this (B, S)."""
    bound = torch.nan_to_num(certified.bound - price, nan=-torch.inf, posinf=-torch.inf)
    constant = torch.nan_to_num(certified.constant - price, nan=-torch.inf, posinf=-torch.inf)
    down = torch.full_like(bound, -torch.inf)
    return replace(certified, bound=torch.nextafter(bound, down), constant=torch.nextafter(constant, down))
