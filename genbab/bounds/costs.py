"""What passes cost: multiply-adds of their steps, and how many rows fit the memory."""

from __future__ import annotations

from genbab.bounds.engine import Engine
from genbab.network import Affine, Grouped, Input, LinearMap, Meaning, Network, Nonlinear, contractions
from genbab.network.maps.algebra import Compose
from genbab.nonlinear.groups.grouped import on_own_interval

CACHED = 600_000
"""Numbers in one (B, S, N) tensor of a pass: larger ones fall out of the processor's cache and cost several
times more per entry."""

SEARCHED = 3
"""Cost of a slope step, as a multiple of a backward pass."""

GROUPED, ELEMENTWISE = 60, 4
"""Multiply-adds per number of a step through a function of rows, and through an elementwise one, about."""


IMPLICIT = 30
"""Multiply-adds for each pair of numbers of a fixed point: turns of its own, about."""


def rows_at_once(engine: Engine, domains: int, target: int, searching: bool) -> int:
    """How many rows of node `target` fit the memory at once, for so many boxes.

    Searching slopes keeps more of every row than one pass does.
    """
    network = engine.exact
    skipped = {} if searching else network.once(contractions)
    passed = network.ancestors[target] - {
        i for one in skipped.values() for i in (one.node, one.left.node, one.right.node)
    }
    width = sum(network.nodes[i].size for i in passed)
    kept = 14 * engine.search_bytes if searching else 0
    bytes_per_row = width * max(kept, 4 * 8) * max(domains, 1)
    fits = int(engine.memory * 0.5) // max(bytes_per_row, 1)
    widest = max(network.nodes[i].size for i in passed) * max(domains, 1)
    return max(1, min(fits, -(-CACHED // widest)))


def tightening_cost(engine: Engine) -> float:
    """Multiply-adds of one `tighten_all` with default slopes for one box."""
    network = engine.exact
    return sum(row_costs(network, [i for i in network.relaxed if not interval_exact(network, i)]))


def pass_cost(engine: Engine, target: int, rows: int) -> float:
    """Multiply-adds of one backward pass for so many rows of node `target` of one box."""
    return _pass_cost(engine.exact, target, rows)


def row_costs(network: Network, layers: list[int]) -> list[float]:
    """Multiply-adds of a backward pass for both sides of every neuron of each node."""
    return [_pass_cost(network, i, 2 * network.nodes[i].size) for i in layers]


def _pass_cost(network: Network, target: int, rows: int) -> float:
    steps = network.once(step_costs)
    return float(rows * sum(steps[j] for j in network.ancestors[target]))


def step_costs(network: Network) -> list[int]:
    """Multiply-adds of one row's step through each node, about."""
    return [node.meet(_Cost(), i, None) for i, node in enumerate(network.nodes)]


class _Cost(Meaning[None, int]):
    def input(self, i: int, node: Input, x: None) -> int:
        return ELEMENTWISE * node.size

    def affine(self, i: int, node: Affine, x: None) -> int:
        return sum(one.cost for _, one in node.terms)

    def nonlinear(self, i: int, node: Nonlinear, x: None) -> int:
        return ELEMENTWISE * node.size

    def grouped(self, i: int, node: Grouped, x: None) -> int:
        return IMPLICIT * node.size**2 if on_own_interval(node.fn) else GROUPED * node.size


def interval_exact(network: Network, i: int) -> bool:
    """Whether interval arithmetic is exact for node i: the input, or one affine step from a box."""
    if i == 0:
        return True
    node = network.affine.get(i)
    if network.entry.within or node is None or len(node.terms) > 1:
        return False
    return all(source == 0 and _weighted(one) <= 1 for source, one in node.terms)


def _weighted(one: LinearMap) -> int:
    """How many of the maps composed here have weights: |W2 W1| = |W2||W1| holds when there is at most one."""
    return sum(_weighted(m) for m in one.maps) if isinstance(one, Compose) else int(one.cost > 0)
