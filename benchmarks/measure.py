"""Prints what the rules of the house count, beside the goals: `python benchmarks/measure.py`.

`--list` says what breaks each rule: tests/house/exceptions.toml as it would be today. The rules and the
counting are in tests/house.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.house import counts, rules
from tests.house.source import PARTS, Source, sources

NODES = "genbab/network/nodes.py"


def main() -> None:
    """Print the table, or the list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="what breaks each rule, as TOML")
    if parser.parse_args().list:
        print(listed(sources(*PARTS)))
    else:
        print(table())


def listed(files: list[Source]) -> str:
    """What breaks each rule, as tests/house/exceptions.toml writes it."""
    parts = []
    for rule in rules.RULES:
        if breaks := rule(files):
            lines = [f"{json.dumps(place)} = {json.dumps(what)}" for place, what in sorted(breaks.items())]
            parts.append("\n".join([f"[{rule.__name__}]  # {rule.__doc__}", *lines]))
    return "\n\n".join(parts)


def table() -> str:
    """One line per measure, one column per part of the package, the goal last."""
    columns = [measures(folder) for folder in PARTS] + [measures(*PARTS)]
    rows = [["", *PARTS, "all", "goal"]]
    rows += [[name, *(column[name] for column in columns), GOALS[name]] for name in GOALS]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def measures(*folders: str) -> dict[str, str]:
    """Each measure of these folders, by name."""
    files = sources(*folders)
    functions = [node for source in files for _, node in source.functions]
    public = [bool(text) for source in files for _, text, must in source.docstrings if must]
    lines = [len(source.text.splitlines()) for source in files]
    tests = sources(*(["tests"] if folders == PARTS else [f"tests/{folders[0]}"]))
    number = {rule.__name__: str(_number(rule(files))) for rule in rules.RULES}
    kinds = sum(counts.kinds_asked(source) for source in files if source.place != NODES)
    return {
        "file lines, median/p90/max": _three(lines),
        "function lines, median/p90/max": _three([counts.length(node) for node in functions]),
        "complexity, p90/max": _three([counts.complexity(node) for node in functions]).partition("/")[2],
        "functions annotated": _share([counts.annotated(node) for node in functions]),
        "public docstrings": _share(public),
        "first lines that break off": number["broken_first_lines"],
        "tests/source, lines of code": _ratio(tests, files) if folders != ("genbab",) else "",
        "questions of a node's kind": str(kinds),
        "waivers of six parameters": number["waived_arguments"],
        "class names borne twice": number["repeated_classes"],
        "names of retired words": number["retired_words"],
        "circles of imports": number["import_circles"],
        "circles of folders": number["folder_circles"],
        "crowded folders": number["crowded_folders"],
    }


GOALS = {
    "file lines, median/p90/max": "120/250/300",
    "function lines, median/p90/max": "8/20/50",
    "complexity, p90/max": "4/10",
    "functions annotated": "100 %",
    "public docstrings": "100 %",
    "first lines that break off": "0",
    "tests/source, lines of code": "0.8",
    "questions of a node's kind": "0",
    "waivers of six parameters": "5",
    "class names borne twice": "0",
    "names of retired words": "0",
    "circles of imports": "0",
    "circles of folders": "0",
    "crowded folders": "0",
}


def _three(values: Sequence[int]) -> str:
    return f"{statistics.median(values):.0f}/{sorted(values)[int(0.9 * len(values))]}/{max(values)}"


def _share(values: Sequence[bool]) -> str:
    return f"{100 * statistics.mean(values):.0f} %"


def _number(breaks: rules.Breaks) -> int:
    """How many places; of what is counted by file, how many in all."""
    return sum(breaks.values()) if isinstance(breaks, rules.Counted) else len(breaks)


def _ratio(tests: list[Source], files: list[Source]) -> str:
    return f"{sum(t.code_lines() for t in tests) / sum(f.code_lines() for f in files):.2f}"


if __name__ == "__main__":
    main()
