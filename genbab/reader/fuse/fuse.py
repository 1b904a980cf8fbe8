"""Univariate fusion: elementwise operations on one tensor become one function, however a model writes them.

One relaxation of the whole is tighter than a chain of relaxations, so nothing that is a function of one
number per entry reaches the bounds in parts, except where its facts cannot be certified.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genbab.errors import UsageError
from genbab.network import (
    Network,
    Node,
    Nonlinear,
)
from genbab.nonlinear import Expression, Nonlinearity
from genbab.nonlinear.facts.real import real
from genbab.reader.fuse.expressions import RootExpressions
from genbab.reader.fuse.roots import Roots
from genbab.reader.fuse.sums import Numbers, Sum
from genbab.reader.fuse.wrapped import Ask, WrappedFunction, finite, wrapped_functions
from genbab.reader.tensors.spans import endless

CONE = 256
"""So many nodes at most become one function."""

COPIES = 256
"""A sum of functions of fewer entries than its own is fused up to this size only."""


@dataclass(frozen=True, eq=False)
class Fused:
    """Entry j of a node is functions[labels[j]] of the root's entry place[j]; None: the first, entry j."""

    root: int
    place: Tensor | None
    functions: tuple[WrappedFunction, ...]
    labels: Tensor | None


Pieces = Callable[[Sequence[Expression], Ask], Sequence[WrappedFunction]]
"""What makes functions of expressions; UsageError where it cannot."""


def fuse(
    network: Network,
    ask: Ask = lambda: None,
    apart: frozenset[int] = frozenset(),
    pieces: Pieces = wrapped_functions,
) -> Network:
    """The same function with every chain of elementwise operations on one tensor as one node.

    Only where that makes bounds tighter; nodes that the output does not need are left out. `ask` is called
    now and then; what it raises ends the work. apart: nodes (by their origin) that a jump must not follow in
    one function: where these are rounded, the jump may fall on either side. pieces: what makes functions of
    expressions.
    """
    roots = Roots(network)
    how = _How(ask, apart, pieces)
    plans: dict[int, Fused] = {}
    needed = {network.output, 0}
    forms: dict[int, RootExpressions] = {}
    for i in reversed(range(len(network.nodes))):
        if i not in needed:
            continue
        ask()
        plan = _plan(roots, forms, i, how)
        if plan is None:
            needed.update(network.sources(i))
        else:
            plans[i] = plan
            needed.add(plan.root)
    return _rebuilt(network, needed, plans)


@dataclass(frozen=True, eq=False)
class _How:
    """What `fuse` was asked."""

    ask: Ask
    apart: frozenset[int]
    pieces: Pieces


def _plan(roots: Roots, forms: dict[int, RootExpressions], i: int, how: _How) -> Fused | None:
    """How node i is made from the highest root for which that pays and can be certified."""
    if i in roots.network.affine and not roots.joins(i):
        return None
    chain = roots.chain(i)
    tried = set()
    for n in reversed(range(len(chain))):
        root = _start(roots, chain[: n + 1])
        if root in tried:
            continue
        tried.add(root)
        between = roots.between(i, root, CONE)
        if between is None or not _pays(roots.network, between) or _jumps(roots.network, between, how.apart):
            continue
        try:
            form = forms.setdefault(root, RootExpressions(roots, root)).of(between)
            made = tuple(how.pieces(form.expressions, how.ask))
        except UsageError:
            continue
        if all(map(finite, made)):
            return Fused(root, roots.place(i, root), made, form.labels)
    return None


def _start(roots: Roots, chain: Sequence[int]) -> int:
    """The root at the end of the chain, or the one nearest to its front that is an affine function of it."""
    root = chain[-1]
    for nearer in reversed(chain[:-1]):
        between = roots.between(nearer, root, CONE)
        if between is None or any(b in roots.network.nonlinear for b in between):
            break
        root = nearer
    return root


def _pays(network: Network, between: Sequence[int]) -> bool:
    """Whether one function of these nodes is tighter than they are one by one.

    They have more than one nonlinear step, none of them a guard or of endlessly many jumps, and none is
    made much longer.
    """
    steps = [network.nonlinear[b] for b in between if b in network.nonlinear]
    if any(step.fn.name == "within" for step in steps):
        return False
    if len(steps) < 2 and not any(len(step.args) == 2 for step in steps):
        return False
    if endless(network, between):
        return False
    return network.nodes[between[-1]].size <= max(COPIES, *(step.size for step in steps))


def _jumps(network: Network, between: Sequence[int], apart: frozenset[int]) -> bool:
    """Whether a function of these nodes jumps after one of the nodes that jumps must not follow."""
    rounded = False
    for b in sorted(between):
        fn = network.nonlinear[b].fn if b in network.nonlinear else None
        if rounded and isinstance(fn, Nonlinearity) and fn.jumps:
            return True
        rounded = rounded or network.origin(b) in apart
    return False


def _rebuilt(network: Network, needed: set[int], plans: dict[int, Fused]) -> Network:
    nodes: list[Node] = []
    names: list[str] = []
    origins: list[int] = []
    number: dict[int, int] = {}
    for i, node in enumerate(network.nodes):
        if i not in needed:
            continue
        if i in plans:
            _emit(nodes, plans[i], number[plans[i].root], node.size)
        else:
            nodes.append(node.renumbered(number))
        number[i] = len(nodes) - 1
        added = len(nodes) - len(names)
        names += [network.name(i)] * added
        origins += [-1] * (added - 1) + [network.origin(i)] * (added > 0)
    return Network(tuple(nodes), number[network.output], tuple(names), origins=tuple(origins))


def _emit(nodes: list[Node], plan: Fused, root: int, size: int) -> None:
    """Append the nodes of a plan; the last of them has its value."""
    slope, shift, factor = (_spread(plan, name, size) for name in ("slope", "shift", "factor"))
    made = Sum(shift)
    if slope.some:
        made.add(root, plan.place, slope, nodes[root].size)
    functions: dict[Nonlinearity, list[int]] = {}
    for n, piece in enumerate(plan.functions):
        if piece.fn is not None:
            functions.setdefault(piece.fn, []).append(n)
    for fn, members in functions.items():
        entries = None if plan.labels is None else _entries(plan.labels, members)
        entries = None if entries is not None and entries.numel() == size else entries
        count = size if entries is None else entries.numel()
        argument = _argument(nodes, plan, root, entries, size)
        nodes.append(Nonlinear(fn, (argument,), count))
        weight, back = factor, None
        if entries is not None:
            back = torch.full((size,), -1, dtype=torch.long)
            back[entries] = torch.arange(count)
            weight = factor.where(back >= 0)
        made.add(len(nodes) - 1, back, weight, count)
    if not made.copies(len(nodes) - 1):
        nodes.append(made.node())


def _argument(nodes: list[Node], plan: Fused, root: int, entries: Tensor | None, size: int) -> int:
    """The node with inside·x + offset for these entries (None: all)."""
    inside, offset = (_spread(plan, name, size) for name in ("inside", "offset"))
    place = plan.place
    if entries is not None:
        inside, offset = inside.take(entries), offset.take(entries)
        place = entries if place is None else place[entries]
    made = Sum(offset)
    made.add(root, place, inside, nodes[root].size)
    if made.copies(root):
        return root
    nodes.append(made.node())
    return len(nodes) - 1


def _spread(plan: Fused, name: str, size: int) -> Numbers:
    """Per entry that number of its piece, (N,)."""
    found = [real(getattr(piece, name)) for piece in plan.functions]
    columns = [[float(r) for r in found], [r.error for r in found]]
    tables = (torch.tensor(column, dtype=torch.float64) for column in columns)
    return Numbers(*(t[0].expand(size).clone() if plan.labels is None else t[plan.labels] for t in tables))


def _entries(labels: Tensor, members: Sequence[int]) -> Tensor:
    return torch.isin(labels, torch.tensor(members)).nonzero().reshape(-1)
