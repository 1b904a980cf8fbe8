"""How wide the layers of a model are at the root of a specification, as a picture for `genbab inspect`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genbab.config import Config
from genbab.errors import DeadlineReached, UsageError
from genbab.system.deadline import Deadline

if TYPE_CHECKING:
    from genbab.bounds import Engine
    from genbab.problem import Query

Root = Mapping[str, Any]
Widths = Mapping[int, list[float]]

BOXES = 256
"""The most boxes of a specification that are looked at."""

SECONDS = 20.0
"""Time for the bounds where the settings have no limit."""

WIDE = 24
"""Characters of the longest bar."""


def plottable(plot: str, spec: str | None) -> None:
    """Raises `UsageError` for a picture that cannot be drawn, before anything is read."""
    if spec is None:
        raise UsageError("--plot draws the layers on the boxes of a specification: give a SPEC")
    if Path(plot).suffix.lower() not in (".svg", ".png", ".pdf"):
        raise UsageError(f"cannot draw {plot}: the name must end in .svg, .png or .pdf")


def looked(engine: Engine, query: Query, config: Config) -> tuple[Root, Widths]:
    """(what is known of the least refuted box, the widths of every neuron's arguments there by node).

    By interval arithmetic, and backward bounds with default slopes where these do not decide. "layers" and
    "gap" are those of a result's statistics; no layers if the time was too short.
    """
    import torch

    from genbab.bounds import WarmStart
    from genbab.driver.root import cheap, tightened

    limit = SECONDS if config.timeout is None else config.timeout
    engine = replace(engine, check=Deadline(limit).check)
    boxes = min(BOXES, len(query))
    try:
        state = cheap(engine, query.take(torch.arange(boxes)), engine.exact.output)
        worst = int(state.query.worst(state.margins).argmin())
        state = state.take(torch.tensor([worst]))
        if state.open().numel():
            state = tightened(engine, state, engine.exact.output, limit)
    except DeadlineReached:
        return {"box": None, "boxes": len(query), "layers": [], "gap": {}}, {}
    try:
        layers, gap = state.explained(engine, WarmStart())
    except DeadlineReached:
        layers, gap = state.layers(engine.exact), {}
    widths = {i: values.tolist() for i, values in state.widths(engine.exact).items()}
    return {"box": worst, "boxes": len(query), "layers": layers, "gap": gap}, widths


def shown(root: Root) -> list[str]:
    """A line per layer: neurons, mean width as a bar, greatest width, its part of what the bound loses."""
    if root["box"] is None:
        return ["layers       not bounded in the time given; a longer --timeout may do"]
    layers, gap = root["layers"], root["gap"]
    lines = [
        f"layers on box {root['box'] + 1} of {root['boxes']:,}: widths of their arguments, default slopes"
    ]
    longest = max((e["mean"] for e in layers), default=0.0)
    lost = sum(e.get("gap", 0.0) for e in layers)
    for e in layers:
        share = f"  lost {100 * e['gap'] / lost:3.0f} %" if lost and "gap" in e else ""
        size = f"mean {e['mean']:<9.4g} {_bar(e['mean'], longest)}  widest {e['widest']:<9.4g}"
        lines.append(f"  {e['neurons']:>8,}  {size}{share}  {e['function']} ({e['name']})")
    if gap:
        low, value = f"{gap['bound']:.4g}", f"{gap['value']:.4g}"
        lines.append(f"  clause {gap['clause']}: bound {low}, the network's own value there {value}")
    return lines


def _bar(value: float, longest: float) -> str:
    full = round(WIDE * value / longest) if 0 < value <= longest < float("inf") else 0
    return (_block() * full).ljust(WIDE)


def _block() -> str:
    """What bars are made of, where stdout can say it."""
    try:
        "█".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "#"
    return "█"


def drawn(root: Root, widths: Widths, title: str, path: Path) -> None:
    """Draw the widths of all neurons, and what each layer loses, to an image file; raises `UsageError`."""
    if root["box"] is None:
        raise UsageError("the layers were not bounded in the time given: there is nothing to draw")
    from genbab.plot.layers import plot_layers

    plot_layers(root["layers"], [widths[e["node"]] for e in root["layers"]], title, path)
