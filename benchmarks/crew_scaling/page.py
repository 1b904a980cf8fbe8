"""Tables of what was measured and of what was simulated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from crew_scaling.costs import (
    IDEAL,
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
from crew_scaling.crew import simulated
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
        yield [instance["name"], str(ran["workers"]), what, *cells, f"{instance['load']:.1f}"]


def costs_row(instance: dict[str, Any], costs: Costs, tree: RecordedTree) -> list[str]:
    """What was recorded of an instance."""
    shape = [str(n) for n in (tree.nodes, len(tree.counts), tree.depths().max(), tree.batch)]
    seconds = (
        f"{costs.round.fixed:.3f} s + {1e3 * costs.round.each:.2f} ms · n",
        f"{costs.attack.seconds:.2f} s",
    )
    return [instance["name"], *shape, *seconds, f"{instance['slower']:.2f}", f"{instance['load']:.1f}"]


def hub_rows(hub: HubCost) -> Iterator[list[str]]:
    """What looks and messages cost the hub, and how many messages a second it takes at most."""
    for workers in (2, 16, 128, 1024):
        look, message = hub.look(workers), hub.message(workers)
        both = f"{1e6 * look:.0f} µs", f"{1e6 * message:.0f} µs"
        yield [f"{workers}", *both, f"{1 / (look + message):.0f}", f"{1 / message:.0f}"]


def speed_ups(instance: dict[str, Any], costs: Costs, tree: RecordedTree) -> Iterator[list[str]]:
    """Rows: how much faster so many workers search, and the whole run ends, at each place."""
    for place in places(instance):
        found = [simulated(tree, costs, place, workers) for workers in WORKERS]
        row = [f"{found[0].search / one.search:.1f}" for one in found]
        yield [instance["name"], place.name, *row]


def predictions(tree: RecordedTree, costs: Costs, place: Place) -> Iterator[list[str]]:
    """Rows: what is predicted of each number of workers."""
    alone = simulated(tree, costs, place, 1)
    for workers in WORKERS:
        found = simulated(tree, costs, place, workers)
        ratios = alone.search / found.search, found.work / alone.work
        shares = found.idle, found.hub
        yield [
            str(workers),
            f"{found.search:.1f}",
            f"{found.alone:.1f}" if workers > 1 else "",
            *(f"{ratio:.2f}" for ratio in ratios),
            *(f"{100 * share:.0f} %" for share in shares),
            str(found.rounds),
            str(found.messages),
            f"{found.messages / found.search:.0f}",
            f"{found.bytes / 1e6:.1f}",
        ]


def limits(tree: RecordedTree, costs: Costs, place: Place) -> Iterator[list[str]]:
    """Rows: how much faster the search is where some things cost nothing."""
    rounds, free = replace(costs.round, fixed=0.0), costs.free()
    cases = {
        "as it is": (costs, place),
        "starting and ending workers takes no time": (costs, replace(place, start=0.0, apart=0.0, end=0.0)),
        "the hub takes no time": (replace(costs, hub=free.hub), replace(place, hub=0.0)),
        "no attacks in the search": (replace(costs, attack=free.attack), place),
        "workers start when four open domains are there for each": (costs, replace(place, enough=4.0)),
        "workers start when one domain is there for every 16": (costs, replace(place, enough=1 / 16)),
        "only rounds take time": (free, IDEAL),
        "only domains take time": (replace(free, round=rounds), IDEAL),
    }
    for name, (price, where) in cases.items():
        alone = simulated(tree, price, where, 1).search
        yield [name, *(f"{alone / simulated(tree, price, where, n).search:.1f}" for n in (2, 16, 128, 1024))]


VALIDATED = ["instance", "workers", "of", "predicted", "measured", "ratio", "load"]
RECORDED = ["instance", "domains", "rounds", "levels", "batch", "round", "attack", "beside another", "load"]
HUB = ["workers", "a look", "each message", "messages a second, one at a look", "many at a look"]
SPEED = ["instance", "where", *map(str, WORKERS)]
PREDICTED = [
    "workers",
    "seconds",
    "alone",
    "speed-up",
    "work",
    "idle",
    "hub",
    "rounds",
    "messages",
    "a second",
    "MB",
]
LIMITS = ["", "2", "16", "128", "1024"]


def places(instance: dict[str, Any]) -> tuple[Place, ...]:
    """A machine with a core for each worker, and a cluster."""
    return machine(instance), cluster(instance["slower"])


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def with_tables(text: str, tables: dict[str, str]) -> str:
    """A page with these tables in the places that it has for them."""
    for name, found in tables.items():
        mark = f"<!-- {name}: written by benchmarks/scaling.py -->"
        before, _, rest = text.partition(f"{mark}\n")
        _, end, after = rest.partition("\n<!-- end -->")
        assert end, f"no place for {name}"
        text = f"{before}{mark}\n\n{found}\n{end}{after}"
    return text
