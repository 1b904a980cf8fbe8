"""A network and a spec, put together as batched tensors: boxes, and the linear rows to be bounded on each.

Unsafe points of a clause satisfy `matrix·y + on_input·x <= rhs` in every row, so a clause is refuted on a box
as soon as one of its rows is proved to stay above its right-hand side; a box is done when all its clauses are
refuted.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genbab.errors import SpecError
from genbab.network import Network, implied
from genbab.specs import Clause, Spec


@dataclass(frozen=True, eq=False)
class Query:
    """Boxes with the rows to be bounded on them.

    lower, upper (B, D); matrix (B, S, O); on_input (B, S, D) or None; rhs (B, S); clause (B, S): index into
    the spec's clauses, -1 for padding. All float64.
    """

    lower: Tensor
    upper: Tensor
    matrix: Tensor
    on_input: Tensor | None
    rhs: Tensor
    clause: Tensor

    def __len__(self) -> int:
        return self.lower.shape[0]

    def take(self, which: Tensor) -> Query:
        """The boxes selected by indices or by a mask."""
        on_input = None if self.on_input is None else self.on_input[which]
        picked = (self.lower[which], self.upper[which], self.matrix[which])
        return Query(*picked, on_input, self.rhs[which], self.clause[which])

    def clauses(self) -> list[int]:
        """The numbers of all clauses, in order."""
        return sorted(set(self.clause.flatten().tolist()) - {-1})

    def without(self, clauses: Collection[int]) -> Query:
        """The query whose rows of these clauses are padding; boxes without any other clause are left out."""
        gone = torch.isin(self.clause, torch.tensor(sorted(clauses), device=self.clause.device))
        clause = torch.where(gone, -1, self.clause)
        kept = Query(self.lower, self.upper, self.matrix, self.on_input, self.rhs, clause)
        return kept.take((clause >= 0).any(-1))

    def margins(self, bounds: Tensor) -> Tensor:
        """bounds - rhs (B, S): above 0 refutes the row's clause on the box; padding is +inf, NaN is -inf."""
        margins = bounds - self.rhs
        margins = torch.where(margins.isnan(), -torch.inf, margins)
        return torch.where(self.clause < 0, torch.inf, margins)

    def clause_margins(self, margins: Tensor) -> Tensor:
        """Per row, the best margin among the rows of its clause (B, S); rows of a clause stand together."""
        best = margins
        if not bool((self.clause[:, 1:] != self.clause[:, :-1]).all()):
            same = self.clause[:, :, None] == self.clause[:, None, :]
            best = torch.where(same, margins[:, None, :], -torch.inf).amax(-1)
        return torch.where(self.clause < 0, torch.inf, best)

    def worst(self, margins: Tensor) -> Tensor:
        """Per box, the margin of its least refuted clause (B,): above 0 means that the box is done."""
        return self.clause_margins(margins).amin(-1)


def check_sizes(spec: Spec, network: Network) -> None:
    """Raises `SpecError` unless the spec has as many inputs and outputs as the network, and its integers."""
    if spec.input_size != network.input_size or spec.width != network.output_size:
        raise SpecError(
            f"the specification speaks of {spec.input_size} inputs and {spec.output_size} outputs, "
            f"the model has {network.input_size} and {network.output_size}"
        )
    whole = network.entry.whole
    if whole is None or not len(spec.lower):
        return
    lower, upper, columns = torch.tensor(spec.lower), torch.tensor(spec.upper), whole.columns.cpu()
    ends = torch.cat([lower[:, columns], upper[:, columns]])
    if not (bool((ends == ends.round()).all()) and whole.to(lower.device).hold(lower, upper)):
        raise SpecError("the network was read for other integers than the specification speaks of")


def queries(spec: Spec, network: Network, device: torch.device) -> Query:
    """All boxes of the spec with their rows. Raises `SpecError` when the sizes do not fit the network."""
    check_sizes(spec, network)
    by_box: list[list[int]] = [[] for _ in range(spec.lower.shape[0])]
    for number, clause in enumerate(spec.clauses):
        by_box[clause.box].append(number)
    used = [k for k, members in enumerate(by_box) if members]
    stacked = [_stack(spec, by_box[k], network) for k in used]
    rows = max((m.shape[0] for m, _, _, _ in stacked), default=0)
    on_inputs = [i for _, i, _, _ in stacked]
    with_inputs = any(i is not None for i in on_inputs)
    zeros = np.zeros((0, spec.input_size))
    padded_inputs = (
        np.stack([_padded(i if i is not None else zeros, rows) for i in on_inputs]) if with_inputs else None
    )

    def tensor(array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    return Query(
        tensor(spec.lower[used]),
        tensor(spec.upper[used]),
        tensor(np.stack([_padded(m, rows) for m, _, _, _ in stacked])),
        None if padded_inputs is None else tensor(padded_inputs),
        tensor(np.stack([_padded(r, rows) for _, _, r, _ in stacked])),
        tensor(np.stack([_padded(c, rows, -1) for _, _, _, c in stacked])),
    )


def _stack(
    spec: Spec, members: list[int], network: Network
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray, np.ndarray]:
    """(matrix, on_input, rhs, clause numbers) of the rows of these clauses.

    A clause without rows is unsafe everywhere: it gets the row 0 <= 0, which nothing refutes. Rows that are
    premises of the network are left out: what refutes the others refutes the clause.
    """
    outputs = network.output_size
    matrices, inputs, sides, numbers = [], [], [], []
    any_inputs = any(spec.clauses[n].inputs is not None for n in members)
    for number in members:
        clause = _with_row(_without_premises(spec.clauses[number], network), spec.width)
        count = clause.rhs.shape[0]
        matrices.append(np.pad(clause.outputs, ((0, 0), (0, outputs - clause.outputs.shape[1]))))
        sides.append(clause.rhs)
        numbers.append(np.full(count, number))
        if any_inputs:
            inputs.append(clause.inputs if clause.inputs is not None else np.zeros((count, spec.input_size)))
    joined = np.concatenate(inputs) if any_inputs else None
    return np.concatenate(matrices), joined, np.concatenate(sides), np.concatenate(numbers)


def _without_premises(clause: Clause, network: Network) -> Clause:
    premise = implied(network, clause)
    if not premise.any():
        return clause
    inputs = None if clause.inputs is None else clause.inputs[~premise]
    return Clause(clause.box, clause.outputs[~premise], inputs, clause.rhs[~premise])


def _with_row(clause: Clause, outputs: int) -> Clause:
    if clause.rhs.shape[0]:
        return clause
    return Clause(clause.box, np.zeros((1, outputs)), None, np.zeros(1))


def _padded(array: np.ndarray, rows: int, fill: float = 0.0) -> np.ndarray:
    missing = rows - array.shape[0]
    return np.concatenate([array, np.full((missing, *array.shape[1:]), fill, dtype=array.dtype)])
