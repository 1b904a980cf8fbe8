"""Which part of the search pays: `python benchmarks/ablation.py [FOLDER...] --families a,b --scores line`.

Families are the folders' names, `NAME*1.05` with boxes enlarged by 5 %, or example networks (`digits_sin`).
Every instance is first run without branching; what that leaves open is run with every combination asked for,
each a `genbab verify` process with the same time limit. Results are kept in OUTPUT/runs.jsonl as they come: a
run in pieces, or one that was ended, goes on where it stopped. OUTPUT/ablation.md has the tables,
OUTPUT/ablation.svg a cactus plot (with matplotlib) of everything measured so far with the same limit.

Exit code: 0; 1 when two settings contradict each other; 2 usage.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

from ablation_instances import DIGITS, instances

from genbab.cli.many.child import verify_apart
from genbab.cli.many.instances import ListedInstance
from genbab.errors import UsageError
from genbab.result import plain
from genbab.system.files import write_atomically

ALONE = "none"
SCORES = "random,widest,babsr,free,line,bbps"
DECIDED = ("verified", "falsified")
OPTIONS = {
    "scores": "branching-score",
    "points": "branching-point",
    "retighten": "retighten",
    "splits": "branching",
}
Row = Mapping[str, Any]


def settings(options: argparse.Namespace) -> list[str]:
    """The combinations asked for, as names like "bbps middle frozen neuron"; "-": that option's default."""
    if options.settings:
        given = [" ".join(one.split()) for one in options.settings.split(",")]
        wrong = [one for one in given if len(one.split()) != len(OPTIONS)]
        if wrong:
            raise UsageError(f"settings are '{' '.join(OPTIONS)}', four words each; found {wrong}")
        return given
    lists = [getattr(options, name).split(",") for name in OPTIONS]
    return [" ".join(parts) for parts in itertools.product(*lists)]


def words(setting: str) -> list[str]:
    """The options of `genbab verify` that a setting stands for."""
    if setting == ALONE:
        return ["--branching", "none"]
    pairs = zip(OPTIONS.values(), setting.split(), strict=True)
    return [word for name, value in pairs if value != "-" for word in (f"--{name}", value)]


def measured(family: str, one: ListedInstance, setting: str, options: argparse.Namespace) -> Row:
    """One process: what it said, and the seconds that the verification itself took."""
    given = [str(one.model_path), str(one.spec_path), *words(setting), *options.words]
    outcome = verify_apart(given, options.timeout)
    result = outcome.result
    return {
        "family": family,
        "model": Path(one.model).name,
        "spec": one.spec,
        "setting": setting,
        "timeout": options.timeout,
        "words": options.words,
        "verdict": outcome.verdict,
        "seconds": round(outcome.seconds if result is None else result.seconds, 3),
        "bound": outcome.bound,
        "reason": outcome.reason,
        "statistics": {} if result is None else dict(result.statistics),
    }


def identity(row: Row) -> tuple[str, ...]:
    """What makes two rows the same run."""
    return tuple(str(row[k]) for k in ("family", "spec", "setting", "timeout", "words"))


def run(options: argparse.Namespace) -> list[Row]:
    """Measure what is missing; all rows of the families and the limit asked for."""
    output = Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    store = Store(output / "runs.jsonl", options)
    chosen: list[Row] = []
    with ThreadPoolExecutor(options.workers) as pool:
        for family in options.families.split(","):
            listed = instances(family, options.folders, output, options.images)
            firsts = list(pool.map(store.row, repeat(family), listed, repeat(ALONE)))
            opened = [one for one, row in zip(listed, firsts, strict=True) if not solved(row)]
            pairs = list(itertools.product(opened[: options.limit or None], settings(options)))
            chosen += firsts
            chosen += pool.map(store.row, repeat(family), [one for one, _ in pairs], [s for _, s in pairs])
            write(output, chosen, options)
    return chosen


class Store:
    """What was measured, in a file of JSON lines that grows as results come."""

    def __init__(self, file: Path, options: argparse.Namespace) -> None:
        rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        self.known: dict[tuple[str, ...], Row] = {identity(row): row for row in rows}
        self.file, self.options, self.lock = file, options, threading.Lock()

    def row(self, family: str, one: ListedInstance, setting: str) -> Row:
        """The run's row, measured now unless it is known."""
        key = (family, one.spec, setting, str(self.options.timeout), str(self.options.words))
        if key not in self.known:
            row = measured(family, one, setting, self.options)
            with self.lock, self.file.open("a") as end:
                self.known[key] = row
                end.write(json.dumps(plain(row), allow_nan=False) + "\n")
                print(f"{family} {one.spec} [{setting}]: {row['verdict']} {row['seconds']:.1f} s", flush=True)
        return self.known[key]


def write(output: Path, rows: list[Row], options: argparse.Namespace) -> None:
    """Both pictures of what was measured so far."""
    write_atomically(output / "ablation.md", tables(rows, options.timeout))
    opened = [row for row in rows if row["setting"] != ALONE]
    if opened and not options.no_plot:
        cactus(opened, output / "ablation.svg", options.timeout)


def tables(rows: list[Row], timeout: float) -> str:
    """A table for each family and one for all: instances that the root left open, by setting."""
    families = list(dict.fromkeys(str(row["family"]) for row in rows))
    parts = [table(family, [row for row in rows if row["family"] == family]) for family in families]
    if len(families) > 1:
        parts.append(table("all", rows))
    return (
        f"Limit {timeout:g} s; `seconds` are medians over all instances, open ones at the limit.\n\n"
        + "\n".join(parts)
    )


def table(name: str, rows: list[Row]) -> str:
    """One table; domains relative to the setting that solved most, on the instances that both solved."""
    alone = [row for row in rows if row["setting"] == ALONE]
    decided = sum(row["verdict"] in DECIDED for row in alone)
    by: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row["setting"] != ALONE:
            by.setdefault(str(row["setting"]), {})[f"{row['family']} {row['spec']}"] = row
    best = max(by, key=lambda setting: sum(map(solved, by[setting].values())), default="")
    lines = [
        f"### {name}: {len(alone)} instances, {decided} decided by the root\n",
        f"| setting | solved | seconds | domains against {best} |",
        "|---|---|---|---|",
    ]
    for setting, one in by.items():
        seconds = median(row["seconds"] if solved(row) else row["timeout"] for row in one.values())
        ratios = [
            domains(one[k]) / domains(by[best][k]) for k in one if k in by[best] and both(one[k], by[best][k])
        ]
        cells = [
            setting,
            f"{sum(map(solved, one.values()))} / {len(one)}",
            f"{seconds:.1f}",
            f"{geometric_mean(ratios):.2f} ({len(ratios)})" if ratios else "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def domains(row: Row) -> float:
    """Domains that were bounded, at least 1."""
    return max(1.0, float(row["statistics"].get("domains", 0)))


def both(one: Row, other: Row) -> bool:
    """Whether both runs decided the instance."""
    return solved(one) and solved(other)


def solved(row: Row) -> bool:
    """Whether the run decided its instance."""
    return row["verdict"] in DECIDED


def contradictions(rows: Iterable[Row]) -> list[str]:
    """Instances that one setting verified and another falsified."""
    said: dict[str, set[str]] = {}
    for row in rows:
        if solved(row):
            said.setdefault(f"{row['family']} {row['spec']}", set()).add(str(row["verdict"]))
    return [name for name, verdicts in said.items() if len(verdicts) > 1]


def cactus(rows: list[Row], path: Path, timeout: float) -> None:
    """How many instances each setting solves within how many seconds each."""
    try:
        import matplotlib

        matplotlib.use("svg")
        from cycler import cycler
        from matplotlib import pyplot
        from matplotlib.ticker import MaxNLocator
    except ImportError:
        return
    matplotlib.rcParams.update({"svg.hashsalt": "ablation", "svg.fonttype": "none"})
    figure, axes = pyplot.subplots(figsize=(8.4, 4.0))
    axes.set_prop_cycle(cycler(linestyle=["-", "--"]) * matplotlib.rcParams["axes.prop_cycle"])
    by: dict[str, list[float]] = {}
    for row in rows:
        times = by.setdefault(str(row["setting"]), [])
        if solved(row):
            times.append(float(row["seconds"]))
    for setting, times in sorted(by.items(), key=lambda item: -len(item[1])):
        ordered = sorted(times)
        axes.step(
            [*ordered, timeout], [*range(1, len(ordered) + 1), len(ordered)], where="post", label=setting
        )
    axes.set(xlabel="seconds per instance", ylabel="solved", xscale="log")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.02, 1.0))
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        description="Compare the parts of the search on what the root leaves open."
    )
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="folders with instances.csv")
    parser.add_argument("--families", default=",".join(DIGITS), help="by name, separated by commas")
    parser.add_argument("--scores", default=SCORES, help=f"(default {SCORES})")
    parser.add_argument("--points", default="-", help="middle,table (default: genbab's default)")
    parser.add_argument("--retighten", default="-", help="frozen,clipped,reoptimised")
    parser.add_argument("--splits", default="neuron", help="input,neuron,mixed,auto (default neuron)")
    parser.add_argument("--settings", default="", metavar="LIST", help="these instead of all combinations")
    parser.add_argument("--workers", type=int, default=1, help="runs at a time (default 1; give --threads 1)")
    parser.add_argument("--images", type=int, default=12, help="images of each example network (default 12)")
    parser.add_argument("--limit", type=int, default=0, help="open instances of each family (default: all)")
    parser.add_argument("--timeout", type=float, default=20.0, help="seconds for every run (default 20)")
    parser.add_argument("--output", default="ablation-results", help="folder for the results")
    parser.add_argument("--no-plot", action="store_true", help="tables only")
    parser.epilog = "further options are handed to genbab verify"
    options, rest = parser.parse_known_args()
    options.words = rest
    try:
        rows = run(options)
    except UsageError as error:
        parser.error(str(error))
    wrong = contradictions(rows)
    print(tables(rows, options.timeout))
    for name in wrong:
        print(f"!! CONTRADICTION: {name}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
