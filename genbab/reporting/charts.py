"""The drawings of a report as places on a page: axes, curves, marks. Templates turn them into SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from genbab.reporting.facts import SOLVED, Floats, StudyInstance
from genbab.reporting.matching import Pair
from genbab.reporting.scales import Axis, duration, linear, logarithmic, number, onward, signed, whole

WIDTH, HEIGHT = 560, 330
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 34, 56
ACROSS, UPWARDS = (float(LEFT), float(WIDTH - RIGHT)), (float(HEIGHT - BOTTOM), float(TOP))
LEAST = 1e-3
"""Seconds below which times are drawn as this much."""

STRETCH = 1500
"""The most points of a drawn series."""


@dataclass(frozen=True)
class Mark:
    """A point with its class, what it says when pointed at, and the page it leads to ("" for none)."""

    x: float
    y: float
    look: str
    text: str
    target: str = ""


@dataclass(frozen=True)
class Curve:
    """An SVG path with its class and the name in the legend ("" for none)."""

    path: str
    look: str
    name: str = ""


@dataclass(frozen=True)
class Chart:
    """Axes with curves and marks on them. summary: what it shows, in words."""

    summary: str
    across: str
    upwards: str
    x: Axis
    y: Axis
    curves: tuple[Curve, ...] = ()
    marks: tuple[Mark, ...] = ()
    legend: tuple[tuple[str, str], ...] = ()
    lines: tuple[tuple[float, float, float, float, str], ...] = field(default=())


def cactus(
    some: Sequence[StudyInstance], other: Sequence[StudyInstance], names: tuple[str, str]
) -> Chart | None:
    """How many instances were decided within how many seconds; None where none was.

    Of one study also the proofs and the counterexamples alone; of two the decided ones of each.
    """
    groups: list[tuple[str, str, Sequence[StudyInstance], tuple[str, ...]]]
    groups = [("decided", names[0] if other else "decided", some, SOLVED)]
    if other:
        groups.append(("other", names[1], other, SOLVED))
    else:
        groups += [(verdict, verdict, some, (verdict,)) for verdict in SOLVED]
    timed = [(look, name, _times(group, wanted)) for look, name, group, wanted in groups]
    timed = [(look, name, one) for look, name, one in timed if one]
    if not timed:
        return None
    most = max(len(one) for _, _, one in timed)
    x, y = whole(most, ACROSS), logarithmic([s for *_, one in timed for s, _ in one], UPWARDS, LEAST)
    curves, marks = [], []
    for look, name, one in timed:
        places = [(x.at(k), y.at(s)) for k, (s, _) in enumerate(one, 1)]
        curves.append(Curve(polyline(places), look, f"{name} ({len(one)})"))
        if look in ("decided", "other") and most <= STRETCH:
            for (px, py), (s, instance) in zip(places, one, strict=True):
                target = instance.anchor if look == "decided" else ""
                marks.append(Mark(px, py, look, f"{instance.spec}: {duration(s)}", target))
    slowest = timed[0][2][-1][0]
    told = f"{len(timed[0][2])} instances decided, the slowest after {duration(slowest)}"
    return Chart(told, "instances decided", "seconds each", x, y, tuple(curves), tuple(marks))


def _times(group: Sequence[StudyInstance], wanted: Sequence[str]) -> list[tuple[float, StudyInstance]]:
    found = [(one.seconds, one) for one in group if one.verdict in wanted and one.seconds is not None]
    return sorted(found, key=lambda pair: pair[0])


def scatter(pairs: Sequence[Pair], names: tuple[str, str]) -> Chart | None:
    """Seconds here against seconds there, one mark per instance of both; None where there is none.

    What one side did not decide lies on that side's outer edge.
    """
    timed = [p for p in pairs if p.here.seconds is not None and p.there.seconds is not None]
    if not timed:
        return None
    values = [s for p in timed for s in (p.here.seconds or 0.0, p.there.seconds or 0.0)]
    inner = (ACROSS[0], ACROSS[1] - 34), (UPWARDS[0], UPWARDS[1] + 34)
    x, y = (logarithmic(values, ends, LEAST) for ends in inner)
    marks = []
    for p in timed:
        px = x.at(p.here.seconds or 0.0) if p.here.solved else ACROSS[1] - 12
        py = y.at(p.there.seconds or 0.0) if p.there.solved else UPWARDS[1] + 12
        told = f"{p.here.spec}: {p.here.verdict} {duration(p.here.seconds)}, "
        told += f"{p.there.verdict} {duration(p.there.seconds)}"
        marks.append(Mark(px, py, p.outcome, told, p.here.anchor))
    first, last = x.ticks[0][0], x.ticks[-1][0]
    lines = (
        (first, y.ticks[0][0], last, y.ticks[-1][0], "equal"),
        (ACROSS[1] - 24, UPWARDS[0], ACROSS[1] - 24, UPWARDS[1], "edge"),
        (ACROSS[0], UPWARDS[1] + 24, ACROSS[1], UPWARDS[1] + 24, "edge"),
    )
    used = {p.outcome for p in timed}
    legend = tuple((look, name) for look, name in OUTCOMES if look in used)
    faster = sum(p.outcome == "both" and (p.here.seconds or 0) < (p.there.seconds or 0) for p in timed)
    both = sum(p.outcome == "both" for p in timed)
    told = f"{len(timed)} instances of both studies, {both} decided by both, {faster} of these faster here"
    labels = (f"{names[0]}: seconds", f"{names[1]}: seconds")
    return Chart(told, *labels, x, y, marks=tuple(marks), legend=legend, lines=lines)


OUTCOMES = (
    ("both", "decided by both"),
    ("here", "only here"),
    ("there", "only there"),
    ("neither", "by neither"),
    ("conflict", "contradiction"),
)


def radii(some: Sequence[StudyInstance]) -> Chart | None:
    """Per sample the radius that is certified and the one that is broken, sorted; None without any."""
    known = [(one.value("certified"), one.value("broken"), one) for one in some if one.kind == "radius"]
    told = [(c, b, one) for c, b, one in known if c is not None]
    if not told:
        return None
    told.sort(key=lambda entry: (entry[0], entry[1] or float("inf")))
    ends = [v for c, b, _ in told for v in (c, b) if v is not None]
    x, y = whole(len(told), ACROSS), linear(ends, UPWARDS, zero=True)
    certified = [(x.at(k), y.at(c)) for k, (c, _, _) in enumerate(told, 1)]
    broken = [(x.at(k), y.at(b)) for k, (_, b, _) in enumerate(told, 1) if b is not None]
    marks = [
        Mark(px, py, "verified", f"{one.spec}: certified {number(c)}, broken {number(b)}", one.anchor)
        for (px, py), (c, b, one) in zip(certified, told, strict=True)
    ]
    marks += [Mark(px, py, "falsified", "") for px, py in broken]
    spans = [f"M{x.at(k)} {y.at(c)}V{y.at(b)}" for k, (c, b, _) in enumerate(told, 1) if b is not None]
    legend = (("verified", "certified up to here"), ("falsified", "broken at this distance"))
    middle = number(told[len(told) // 2][0])
    summary = f"certified radii of {len(told)} samples, the median {middle}"
    curves = (Curve("".join(spans), "span"),) if spans else ()
    return Chart(summary, "samples, sorted", "radius", x, y, curves, tuple(marks), legend)


def bound(one: StudyInstance) -> Chart | None:
    """The certified bound against time, as steps; None where fewer than one moment is known."""
    history = list(one.history)
    if not history:
        return None
    end = max([*(t for t, _ in history), *([one.seconds] if one.seconds is not None else [])])
    if one.bound is not None and math.isfinite(one.bound) and one.bound > history[-1][1]:
        history.append((end, one.bound))
    x, y = onward(end, ACROSS), signed([b for _, b in history], UPWARDS)
    path = f"M{x.at(history[0][0])} {y.at(history[0][1])}"
    for t, b in history[1:]:
        path += f"H{x.at(t)}V{y.at(b)}"
    path += f"H{x.at(end)}"
    zero = (ACROSS[0], y.at(0.0), ACROSS[1], y.at(0.0), "zero")
    marks = [Mark(x.at(t), y.at(b), "moment", f"{number(b)} after {duration(t)}") for t, b in history]
    first, last = history[0][1], history[-1][1]
    told = f"from {number(first)} to {number(last)} in {duration(end)}; above 0 is proved"
    curve = (Curve(path, "bound"),)
    return Chart(told, "seconds", "certified bound", x, y, curve, tuple(marks[-1:]), lines=(zero,))


def series(x: Floats, start: Floats | None, box: tuple[Floats, Floats] | None, origin: str) -> Chart:
    """The numbers of a point by index, with those it began with and the box; thinned where they are many."""
    step = max(1, -(-x.size // STRETCH))
    shown = list(range(0, x.size, step))
    lines = [x, *([] if start is None else [start]), *(box or ())]
    across = onward(float(x.size - 1), ACROSS)
    upwards = linear([float(line[k]) for line in lines for k in shown], UPWARDS)

    def places(line: Floats) -> list[tuple[float, float]]:
        return [(across.at(k), upwards.at(float(line[k]))) for k in shown]

    curves = []
    if box is not None:
        band = polyline([*places(box[0]), *reversed(places(box[1]))]) + "Z"
        curves.append(Curve(band, "band", "allowed"))
    if start is not None:
        curves.append(Curve(polyline(places(start)), "start", origin))
    curves.append(Curve(polyline(places(x)), "found", "counterexample" if lines[1:] else "input"))
    told = f"{x.size} inputs, from {number(float(x.min()))} to {number(float(x.max()))}"
    return Chart(told, "input", "value", across, upwards, tuple(curves))


def polyline(places: Sequence[tuple[float, float]]) -> str:
    """An SVG path through these places."""
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in places)
