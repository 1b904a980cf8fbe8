"""The tables of errors as JSON: one function per line."""

from __future__ import annotations

import json
from typing import Any

from elementary_functions.errors import KINDS, PLACES, RESULTS, Errors
from elementary_functions.exact import EXACT
from elementary_functions.pieces import Piece, barred, pieces, up

MARGIN = 1.25
"""Intervals allow so many times what was found where not all numbers ran."""


def row(name: str, errors: Errors) -> dict[str, Any]:
    """What the table says of one function."""
    found = pieces(errors, EXACT[name])
    worst = errors.worst.argmax(0)
    largest = {
        kind: {"error": up(float(errors.worst[b, k])), "at": float(errors.worst_at[b, k])}
        for k, (kind, b) in enumerate(zip(KINDS, worst, strict=True))
    }
    ulps = largest.pop("ulps")
    runs = errors.facts["runs"]
    stride = min(run["stride"] for run in runs)
    return {
        "inputs": "all" if stride == 1 else f"every {stride}th",
        "pieces": [_piece(p, 1.0 if stride == 1 else MARGIN) for p in found],
        "worst": largest,
        "ulps": ulps["error"],
        "ulps_at": ulps["at"],
        "steps_back": _steps(errors),
        "outside": _outside(errors),
        "short": errors.facts["short"],
        "other_ways": errors.facts["other ways"],
        "runs": runs,
    }


def _piece(piece: Piece, factor: float) -> dict[str, float]:
    absolute, relative = up(factor * piece.absolute), up(factor * piece.relative)
    return {"low": piece.low, "high": piece.high, "absolute": absolute, "relative": relative}


def _steps(errors: Errors) -> dict[str, Any]:
    found: dict[str, Any] = {"count": int(errors.steps.sum())}
    if found["count"]:
        drop = abs(errors.step_at[:, 3].astype(float) - errors.step_at[:, 2]) * (errors.steps > 0)
        x0, x1, y0, y1 = map(float, errors.step_at[int(drop.argmax())])
        found.update(x=[x0, x1], y=[y0, y1])
    return found


def _outside(errors: Errors) -> dict[str, Any]:
    """What comes for infinite inputs, outside the domain, beyond float32's range; where results are lost."""
    found: dict[str, Any] = {n: errors.facts[n] for n in ("inf", "-inf", "nan")}
    for place, counts, at in zip(PLACES, errors.outside, errors.outside_at, strict=True):
        kinds = {result: float(x) for result, n, x in zip(RESULTS, counts, at, strict=True) if n}
        if kinds:
            found[place] = kinds
    if errors.lost.any():
        found["lost"] = barred(errors, False)
    return found


def text(table: dict[str, Any]) -> str:
    """The table, one function per line."""
    rest = [f'"{key}": {json.dumps(value)}' for key, value in table.items() if key != "functions"]
    lines = [f'"{name}": {json.dumps(of)}' for name, of in table["functions"].items()]
    return "{\n" + ",\n".join(rest) + ',\n"functions": {\n' + ",\n".join(lines) + "\n}\n}\n"


def page(table: dict[str, Any]) -> str:
    """The worst errors as a table in Markdown."""
    head = ["function", "inputs", "ulps", "at", "relative", "at", "absolute", "at", "steps back"]
    rows = [head, ["---"] * len(head)]
    for name, of in table["functions"].items():
        both = [(of["worst"][kind]["error"], of["worst"][kind]["at"]) for kind in KINDS[:2]]
        numbers = [(of["ulps"], of["ulps_at"]), *reversed(both)]
        said = [f"{number:.4g}" for pair in numbers for number in pair]
        rows.append([f"`{name}`", of["inputs"], *said, f"{of['steps_back']['count']:,}"])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)
