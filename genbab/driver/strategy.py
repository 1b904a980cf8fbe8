"""What a run will do below the root, and why: one decision, which the driver obeys and `inspect` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from genbab.bounds import Engine, pass_cost, rows_at_once, tightening_cost, varying
from genbab.config import Config
from genbab.network import Network
from genbab.problem import Query

FEW_INPUTS = 16
"""With at most this many varying inputs, `auto` splits inputs instead of neurons."""

SOME_INPUTS = 64
"""With at most this many, `auto` compares inputs with neurons in every domain."""

SOME_INTEGERS = 256
"""The same where some inputs are integers: between two of them no bounds of neurons decide anything."""

TIGHTEN_COST = 5e7
"""Hidden rows are bounded backwards in every child box where that costs at most this many multiply-adds per
box.
"""

INPUT_BATCH = 300_000
"""Neurons of all domains of one round of input splits."""

NEURON_BATCH = 200_000
"""Neurons of all domains of one round of neuron splits: enough to outweigh the cost of calling each
operation.
"""


@dataclass(frozen=True)
class Strategy:
    """Decisions about branching and the numbers behind them.

    splits: `input`, `neuron`, `mixed` or `none`; batch: parents split in one round; tighten: whether hidden
    rows may be bounded in every child of an input split; retighten: what is done to hidden intervals below
    the root of neuron splits. varying: inputs that have a width in some box; neurons: numbers that come out
    of nonlinear functions; boxes; rows: of one box; pass_cost: multiply-adds of a backward pass for these;
    tighten_cost: of one for every hidden row. chunk: rows bounded together; pool, forms: bytes for open
    domains, for linear forms of hidden rows; reasons: sentences.
    """

    splits: str
    batch: int
    tighten: bool
    retighten: str
    varying: int
    neurons: int
    boxes: int
    rows: int
    pass_cost: float
    tighten_cost: float
    chunk: int
    pool: int
    forms: int
    reasons: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values."""
        return {**asdict(self), "reasons": list(self.reasons)}


def strategy(engine: Engine, queries: Sequence[Query], config: Config, proved: bool = False) -> Strategy:
    """What the settings and the open boxes, in batches, call for; proved: a proof is to be written."""
    most = max((int(varying((q.lower, q.upper)).numel()) for q in queries), default=0)
    neurons, rows = nonlinear_size(engine.exact), max((q.rhs.shape[1] for q in queries), default=0)
    cost, output = tightening_cost(engine), engine.exact.output
    most_mixed = SOME_INTEGERS if engine.exact.entry.whole is not None else SOME_INPUTS
    splits, why = _splits(most, config, proved, most_mixed)
    retighten = "frozen" if proved else config.retighten
    most_neurons = INPUT_BATCH if splits == "input" else NEURON_BATCH
    limits = (2, 2048) if splits == "input" else (8, 4096)
    batch = config.batch or max(limits[0], min(limits[1], most_neurons // neurons))
    reasons = [why]
    if splits in ("input", "mixed"):
        reasons.append(_tightening(cost))
    if splits in ("neuron", "mixed"):
        by = "proofs have a rule for no other" if proved else "set by --retighten"
        reasons.append(f"hidden intervals below the root: {retighten} ({by})")
    if splits != "none":
        by = (
            "set by --batch"
            if config.batch
            else f"{most_neurons:,} neurons a round, {limits[0]} to {limits[1]}"
        )
        reasons.append(f"{batch} domains are split in a round: {by}")
    return Strategy(
        splits=splits,
        batch=batch,
        tighten=splits in ("input", "mixed") and cost <= TIGHTEN_COST,
        retighten=retighten,
        varying=most,
        neurons=neurons,
        boxes=sum(len(q) for q in queries),
        rows=rows,
        pass_cost=pass_cost(engine, output, rows),
        tighten_cost=cost,
        chunk=rows_at_once(engine, 1, output, splits in ("neuron", "mixed") and config.child_steps > 0),
        pool=config.memory // 2,
        forms=config.memory // 8,
        reasons=tuple(reasons),
    )


def unspecified(network: Network, device: torch.device) -> Query:
    """A question to plan for where there is none: every input varies, every output is bounded below."""

    def filled(value: float, *shape: int) -> Tensor:
        return torch.full((1, *shape), value, dtype=torch.float64, device=device)

    inputs, outputs = network.input_size, network.output_size
    matrix = torch.eye(outputs, dtype=torch.float64, device=device)[None]
    clause = torch.arange(outputs, device=device)[None]
    return Query(filled(-1.0, inputs), filled(1.0, inputs), matrix, None, filled(0.0, outputs), clause)


def nonlinear_size(network: Network) -> int:
    """Numbers that come out of nonlinear functions; at least 1."""
    return max(1, sum(node.size for node in network.functions.values()))


def _splits(most: int, config: Config, proved: bool, some: int) -> tuple[str, str]:
    branching = config.branching
    if proved and (branching == "mixed" or (branching == "auto" and FEW_INPUTS < most <= some)):
        return "neuron", "neurons are split: proofs have no rule for splits of either kind"
    if branching != "auto":
        return branching, f"splits: {branching} (set by --branching)"
    if most <= FEW_INPUTS:
        return "input", f"inputs are split: {most} vary, at most {FEW_INPUTS} count as few"
    if most <= some:
        return "mixed", f"neurons or inputs are split, by domain: {most} inputs vary, at most {some}"
    return "neuron", f"neurons are split: {most} inputs vary, at most {some} are split"


def _tightening(cost: float) -> str:
    about = f"bounding them backwards costs {cost:.2g} multiply-adds a box, the limit is {TIGHTEN_COST:.2g}"
    if cost <= TIGHTEN_COST:
        return f"hidden rows are bounded in every child while that pays: {about}"
    return f"hidden rows are not bounded in children: {about}"
