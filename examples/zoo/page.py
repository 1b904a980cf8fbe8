"""The text of docs/zoo.md, from the records of the zoo."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from zoo.catalogue import TOPICS, families
from zoo.family import Family
from zoo.files import FAILS, HOLDS, ZOO, Files

PAGE = ZOO.parent.parent / "docs" / "zoo.md"
MOST = 7  # functions shown of a family

HEAD = f"""\
# The zoo

Written by `python docs/make_zoo.py` from what `examples/zoo/run.py` measured; do not edit.

Small networks of the families that research on general nonlinearities is about: each 10 to 40 lines of
torch in `examples/zoo`, fitted by `examples/zoo/train.py` to data that ship inside scikit-learn or that a
formula gives. Each has two properties, about the neighbourhood (in the norm infinity) of one unseen sample.
An attack with 200 starts, bisected, found the least radius at which it breaks the claim; `holds` asks for
{HOLDS:g} of that radius and `fails` for {FAILS:g} of it. "Reached" is the largest part of the attack's
radius, of those tried (0.25, 0.4, 0.5, 0.8), that was verified within 60 s. Seconds are those of
`genbab verify` in its default settings, with the start of the process.
"""


def page() -> str:
    """The text of docs/zoo.md."""
    parts = [HEAD]
    for topic, heading in TOPICS.items():
        if known := list(_known([topic])):
            parts.append(f"## {heading}\n\n{_table(known)}\n\n" + "\n".join(_about(known)) + "\n")
    machines = sorted({kept["measured"]["machine"] for _, kept in _known(TOPICS) if "measured" in kept})
    return "\n".join([*parts, f"## Measured on\n\n{'; '.join(machines)}."]) + "\n"


def _known(topics: Iterable[str]) -> Iterator[tuple[Family, dict[str, Any]]]:
    for family in families(topics).values():
        yield family, Files(family.name).kept()


def _table(known: list[tuple[Family, dict[str, Any]]]) -> str:
    head = (
        "family",
        "inputs",
        "`holds`",
        "`fails`",
        "reached",
        "radius of the attack",
        "what was understood",
    )
    rows = [head, ("---",) * len(head), *(_row(family, kept) for family, kept in known)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _row(family: Family, kept: dict[str, Any]) -> tuple[str, ...]:
    measured, size = kept.get("measured"), str(len(kept["centre"]))
    if measured is None:
        return f"`{family.name}`", size, "", "", "", f"{kept['radius']:.3g}", "not measured"
    verdicts = [f"{verdict}, {seconds:.1f} s" for verdict, seconds in (measured["holds"], measured["fails"])]
    sizes = [f"{_short(name)} {size:,}" for name, size in measured["functions"].items()]
    functions = ", ".join(sizes if len(sizes) <= MOST else [*sizes[:MOST], f"{len(sizes) - MOST} more"])
    nodes = ", ".join(f"{count} {kind}" for kind, count in measured["nodes"].items())
    reached = f"{measured['reached']:g}" if measured["reached"] else "below 0.25"
    return f"`{family.name}`", size, *verdicts, reached, f"{kept['radius']:.3g}", f"{functions} ({nodes})"


def _short(name: str, most: int = 40) -> str:
    name = re.sub(r" #\w+", "", name)  # what tells formulas with long numbers apart
    return "`" + (name if len(name) <= most else name[: most - 1] + "…").replace("|", "\\|") + "`"


def _about(known: list[tuple[Family, dict[str, Any]]]) -> Iterator[str]:
    for family, _ in known:
        task, note = family.task(), f" {family.note}" if family.note else ""
        data = f"Data: {task.about}. Attacked: {task.asked}."
        yield f"* `{family.name}`: {family.title}. {family.source}. {data}{note}"
