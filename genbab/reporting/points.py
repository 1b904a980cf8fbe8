"""A counterexample as a person sees it: a picture, a series, a table, and what the network answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from genbab.reporting.charts import Chart, series
from genbab.reporting.facts import Floats, InstancePoint, StudyInstance
from genbab.reporting.pixels import change, layout, picture
from genbab.reporting.scales import number

ROWS = 24
"""The most inputs, and the most outputs, that are listed."""

SERIES = 9
"""The least number of inputs that is drawn as a series."""


@dataclass(frozen=True)
class Panel:
    """A picture with its title; source: a data URL."""

    title: str
    source: str
    alt: str


@dataclass(frozen=True)
class PointView:
    """What is shown of a point.

    size: width and height of the pictures; rows: (input, low, high, original, value, change) as texts;
    hidden: inputs that are not listed; outputs: (output, value, where its bar from 0 starts and how long it
    is on a scale of 100, notes); zero: where 0 is; largest: change from `origin`; said: what the network
    answers, in words.
    """

    title: str
    panels: tuple[Panel, ...]
    size: tuple[int, int]
    guessed: str
    line: Chart | None
    rows: tuple[tuple[str, ...], ...]
    hidden: int
    outputs: tuple[tuple[int, str, float, float, str], ...]
    zero: float
    largest: str
    origin: str
    said: str


def view(one: StudyInstance, shape: tuple[int, ...] | None = None) -> PointView | None:
    """The point of an instance, or None. shape: of the pictures, in the place of the model's; () for none."""
    found = one.point
    if found is None:
        return None
    box = None if found.lower is None or found.upper is None else (found.lower, found.upper)
    start = _start(found, box)
    panels, size, guessed = _panels(one, found, start, shape)
    origin = "middle of the box" if found.start is None else "original"
    line = series(found.x, start, box, origin) if found.x.size >= SERIES else None
    moved = None if start is None else np.abs(found.x - start)
    order = np.arange(found.x.size) if moved is None else np.argsort(-moved, kind="stable")
    listed = order[:ROWS] if found.x.size > ROWS else np.arange(found.x.size)
    title = "Counterexample" if found.counterexample else "The sample"
    largest = "" if moved is None else number(float(moved.max()))
    rows = tuple(_row(int(k), found, start, box) for k in listed)
    (outputs, zero), hidden = _outputs(one, found), found.x.size - len(rows)
    said = _said(one, found)
    return PointView(title, panels, size, guessed, line, rows, hidden, outputs, zero, largest, origin, said)


def _start(found: InstancePoint, box: tuple[Floats, Floats] | None) -> Floats | None:
    """The input that a counterexample began with; where only its box is known, its middle."""
    if not found.counterexample:
        return None
    if found.start is None and box is not None:
        return (box[0] + box[1]) / 2
    return found.start


def _panels(
    one: StudyInstance, found: InstancePoint, start: Floats | None, shape: tuple[int, ...] | None
) -> tuple[tuple[Panel, ...], tuple[int, int], str]:
    wanted = one.shape if shape is None else shape
    if shape is not None and math.prod(shape) != found.x.size:
        return (), (0, 0), ""
    known = layout(wanted, found.x.size)
    if known is None or shape == ():
        return (), (0, 0), ""
    axes, guess = known
    both = found.x if start is None else np.concatenate([found.x, start])
    limits = one.details.get("bounds")
    span = (float(both.min()), float(both.max()))
    if isinstance(limits, list) and len(limits) == 2:
        span = (float(limits[0]), float(limits[1]))
    height, width = axes[:2] if axes[2] in (1, 3) and axes[0] not in (1, 3) else axes[1:]
    name = "Counterexample" if found.counterexample else "Sample"
    panels = [Panel(name, picture(found.x, axes, span), f"{name}, {height} by {width} pixels")]
    if start is not None:
        first = "Middle of the box" if found.start is None else "Original"
        panels.insert(0, Panel(first, picture(start, axes, span), f"{first}, {height} by {width} pixels"))
        largest = number(float(np.abs(found.x - start).max()))
        alt = f"Where it was changed, at most by {largest}"
        panels.append(Panel(f"Change, at most {largest}", change(found.x - start, axes), alt))
    return tuple(panels), (width, height), f"{height} × {width}" if guess else ""


def _row(
    k: int, found: InstancePoint, start: Floats | None, box: tuple[Floats, Floats] | None
) -> tuple[str, ...]:
    low, high = ("", "") if box is None else (number(float(box[0][k])), number(float(box[1][k])))
    value = float(found.x[k])
    if start is None:
        return str(k), low, high, "", number(value), ""
    moved = value - float(start[k])
    return (
        str(k),
        low,
        high,
        number(float(start[k])),
        number(value),
        ("+" if moved > 0 else "") + number(moved),
    )


def _outputs(
    one: StudyInstance, found: InstancePoint
) -> tuple[tuple[tuple[int, str, float, float, str], ...], float]:
    """The largest outputs, in order of their numbers, as bars; where 0 is among them."""
    y = found.y
    if y is None:
        return (), 0.0
    kept = sorted(np.argsort(-y, kind="stable")[:ROWS].tolist())
    low, high = min(0.0, float(y[kept].min())), max(0.0, float(y[kept].max()))
    scale = 100.0 / ((high - low) or 1.0)
    label, best = one.details.get("label"), int(np.argmax(y))
    rows = []
    for k in kept:
        notes = ["label"] if k == label else []
        notes += ["largest"] if k == best and y.size > 1 else []
        value = float(y[k])
        start, length = (min(0.0, value) - low) * scale, abs(value) * scale
        rows.append((k, number(value), round(start, 1), round(length, 1), ", ".join(notes)))
    return tuple(rows), round(-low * scale, 1)


def _said(one: StudyInstance, found: InstancePoint) -> str:
    """The class that the network takes a counterexample for."""
    label, y = one.details.get("label"), found.y
    if y is None or not isinstance(label, int) or not found.counterexample or y.size < 2:
        return ""
    best = int(np.argmax(y))
    if best == label:
        return f"The network's answer is class {label} in a tie."
    return f"The network takes it for class {best}, not {label}."
