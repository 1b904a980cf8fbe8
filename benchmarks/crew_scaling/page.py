"""Tables of what was measured and of what was simulated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crew_scaling.costs import (
    AttackCost,
    Costs,
    HubCost,
    Linear,
    Place,
    Wire,
    attack_cost,
    cluster,
    round_cost,
)
from crew_scaling.crew import Simulated, simulated
from crew_scaling.tree import RecordedTree

WORKERS = tuple(2**k for k in range(11))
PIPE = 3e-5, 1e9
"""Seconds of a message through a pipe of this machine, and its bytes a second."""


def costs_of(instance: dict[str, Any], hub: dict[str, Any], tree: RecordedTree) -> Costs:
    """The costs of an instance that was measured."""
    size, alone = instance["size"], instance["real"][0]
    looks = HubCost(Linear(**hub["look"]), Linear(**hub["message"]))
    wire = Wire(instance["report"], size["wire"], size["handling"])
    attack: AttackCost = attack_cost(tree)
    return Costs(round_cost(tree), attack, looks, wire, alone["seconds"] - alone["search"])


def machine(instance: dict[str, Any], cores: int = 0) -> Place:
    """This machine, or one that has a core for each worker."""
    size = instance["size"]
    return Place("one machine", *PIPE, size["start"], 0.0, size["end"], instance["slower"], cores=cores)


def validation(instance: dict[str, Any], costs: Costs, tree: RecordedTree, cores: int) -> Iterator[list[str]]:
    """Rows: what was predicted and what was measured, with 2 workers of the time, with more of the work."""
    place = machine(instance, cores)
    alone, real = simulated(tree, costs, place, 1), instance["real"][0]
    beside = real["processor"] - alone.work  # what is not search
    for ran in instance["real"][1:]:
        found = simulated(tree, costs, place, ran["workers"])
        if ran["workers"] <= cores:
            what, pair = "time", (alone.seconds / found.seconds, real["seconds"] / ran["seconds"])
        else:
            what = "work"
            pair = (beside + found.work) / (beside + alone.work), ran["processor"] / real["processor"]
        cells = [f"{value:.2f}" for value in (*pair, pair[0] / pair[1])]
        yield [instance["name"], str(ran["workers"]), what, *cells]


def predictions(
    tree: RecordedTree, costs: Costs, places: tuple[Place, ...], crews: tuple[int, ...]
) -> Iterator[list[str]]:
    """Rows: what is predicted of each number of workers at each place."""
    for place in places:
        alone: Simulated | None = None
        for workers in crews:
            found = simulated(tree, costs, place, workers)
            alone = alone or found
            yield [
                place.name,
                str(workers),
                f"{found.seconds:.1f}",
                f"{alone.seconds / found.seconds:.2f}",
                f"{alone.search / found.search:.2f}",
                f"{found.work / alone.work:.2f}",
                f"{100 * found.idle:.0f} %",
                f"{100 * found.hub:.0f} %",
                str(found.messages),
                f"{found.bytes / 1e6:.1f}",
                str(found.rounds),
            ]


PREDICTED = [
    "place",
    "workers",
    "seconds",
    "speed-up",
    "of the search",
    "work",
    "idle",
    "hub",
    "messages",
    "MB",
    "rounds",
]
VALIDATED = ["instance", "workers", "of", "predicted", "measured", "ratio"]


def costs_in_words(tree: RecordedTree, costs: Costs) -> str:
    """What was recorded, in a line."""
    each = f"a round of n parents {costs.round.fixed:.3f} s + {1e3 * costs.round.each:.2f} ms * n"
    shape = f"{tree.nodes} domains, {len(tree.counts)} rounds, {tree.depths().max()} levels"
    return f"{shape}, {each}, an attack {costs.attack.seconds:.2f} s"


def places(instance: dict[str, Any]) -> tuple[Place, ...]:
    """A machine with a core for each worker, and a cluster."""
    return machine(instance), cluster(instance["slower"])


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
