"""A run as its record tells it: bound, open domains, where time went, and how well gains were foreseen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genbab.plot import figure
from genbab.plot.figure import GREEN, INK, LOWER, PINK, QUIET, SKY, UPPER, YELLOW
from genbab.trace import Record, read_trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PARTS = {"bounding": LOWER, "choosing": YELLOW, "clipping": SKY, "attack": UPPER, "pool": PINK}
"""Parts of a round with their colours; whatever else a trace names is grey."""


def plot_trace(trace: str | Path | Record, *, path: str | Path | None = None) -> Figure:
    """A drawing of a run from the file that `verify(..., trace=...)` or `genbab verify --trace` wrote.

    Four panels: certified bound against time; open domains and depth against time; seconds by stage, and by
    part of the rounds; predicted against realised gains, one point a round. path: an image file to write.
    Raises `UsageError` for a missing or broken trace, and where matplotlib is missing.
    """
    record = trace if isinstance(trace, Record) else read_trace(trace)
    whole = figure.figure(path, (11.0, 7.0))
    panels = whole.subplots(2, 2)
    _bound(panels[0, 0], record)
    _open(panels[0, 1], record)
    _time(panels[1, 0], record)
    _gains(panels[1, 1], record)
    whole.suptitle(heading(record), fontsize=11)
    for ax in panels.flat:
        for edge in ("top", "right"):
            ax.spines[edge].set_visible(False)
    if path is not None:
        figure.save(whole, path)
    return whole


def heading(record: Record) -> str:
    """Model, specification and how the run ended, in one line."""
    names = " · ".join(Path(str(record.run.get(k, ""))).name for k in ("model", "spec"))
    if record.end is None:
        return f"{names}: the run did not end"
    seconds = record.end.get("seconds")
    return f"{names}: {record.end.get('verdict')}" + (f" after {seconds:.4g} s" if seconds else "")


def _bound(ax: Axes, record: Record) -> None:
    """Certified bound as steps; the line that must be passed is 0."""
    known = [(t, b) for t, b in record.bounds if math.isfinite(b)]
    _titled(ax, "certified bound", "seconds", known)
    if known:
        ax.step(*zip(*known, strict=True), where="post", color=LOWER, lw=1.8)
        ax.axhline(0.0, color=QUIET, lw=0.9, ls="--")
        largest = max(abs(b) for _, b in known)
        nearest = min((abs(b) for _, b in known if b), default=1.0)
        if largest > 1e3 * nearest:
            ax.set_yscale("symlog", linthresh=max(nearest, 1e-6 * largest))


def _open(ax: Axes, record: Record) -> None:
    """Open domains, and the depth on an axis of its own."""
    rounds = record.rounds
    _titled(ax, "open domains", "seconds", rounds)
    if rounds:
        t = [r["t"] for r in rounds]
        ax.plot(t, [r["open"] for r in rounds], color=INK, lw=1.5, label="open")
        ax.set_ylim(bottom=0)
        other = ax.twinx()
        other.plot(t, [r["depth"] for r in rounds], color=GREEN, lw=1.2, ls="--")
        other.set_ylabel("depth", color=GREEN)
        other.set_ylim(bottom=0)
        other.spines["top"].set_visible(False)


def _time(ax: Axes, record: Record) -> None:
    """One bar of seconds per stage; the search's parts, round by round, are stacked in a bar of their own."""
    stages, parts = seconds(record)
    _titled(ax, "where time went", "seconds", stages or parts)
    names = list(stages)
    ax.barh(names, [stages[n] for n in names], color=QUIET)
    left = 0.0
    for name, spent in parts.items():
        ax.barh("rounds", spent, left=left, color=PARTS.get(name, QUIET), label=f"{name} {spent:.3g} s")
        left += spent
    if parts:
        ax.legend(fontsize=8, frameon=False)
    ax.invert_yaxis()


def seconds(record: Record) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds by stage, and by part over all rounds."""
    stages: dict[str, float] = {}
    for line in record.stages:
        stages[str(line["stage"])] = stages.get(str(line["stage"]), 0.0) + float(line["seconds"])
    parts: dict[str, float] = {}
    for line in record.rounds:
        for name, spent in line["seconds"].items():
            parts[name] = parts.get(name, 0.0) + float(spent)
    return stages, {name: parts[name] for name in sorted(parts, key=lambda n: -parts[n])}


def _gains(ax: Axes, record: Record) -> None:
    """Predicted against realised gains of the rounds; on the diagonal they are equal."""
    pairs = [(float(r["predicted"]), float(r["realised"])) for r in record.rounds if _has_gains(r)]
    pairs = [(p, r) for p, r in pairs if 0 < p < math.inf and 0 < r < math.inf]
    _titled(ax, "gain of a split, mean of a round", "predicted", pairs)
    if pairs:
        ax.loglog(*zip(*pairs, strict=True), "o", ms=4, alpha=0.6, color=LOWER)
        ends = [min(min(p) for p in pairs), max(max(p) for p in pairs)]
        ax.plot(ends, ends, color=QUIET, lw=0.9, ls="--")
        ax.set_ylabel("realised")


def _has_gains(line: Mapping[str, Any]) -> bool:
    return line.get("predicted") is not None and line.get("realised") is not None


def _titled(ax: Axes, title: str, below: str, shown: object) -> None:
    """Title and label, or the word that there is nothing to show."""
    ax.set_title(title, loc="left", fontsize=10)
    ax.set_xlabel(below)
    if not shown:
        ax.text(0.5, 0.5, "nothing recorded", ha="center", va="center", color=QUIET, transform=ax.transAxes)
