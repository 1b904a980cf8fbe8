"""`genbab relax NAME L U`: a function, its facts, and the lines that bound it on an interval."""

from __future__ import annotations

import argparse
import math
import sys
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from typing import TYPE_CHECKING, Any

from genbab.cli.verify.output import write_json
from genbab.errors import UsageError

if TYPE_CHECKING:
    from genbab.nonlinear.lines.picture import FunctionRelaxation, Line

SCHEMA = 1
DIGITS = 9


def command(options: argparse.Namespace) -> int:
    """Print the functions asked for, or list the library; returns 0. Raises `UsageError`."""
    if options.list:
        return _library(options)
    l, u = (_number(options, end) for end in ("lower", "upper"))  # noqa: E741
    slopes = [_real(text, "--slope") for text in options.slope]
    if options.plot and len(options.names) > 1:
        raise UsageError("--plot draws one function at a time")
    from genbab.nonlinear.composed.formula import function
    from genbab.nonlinear.lines.picture import checked, relaxation

    checked(l, u)
    shown = [relaxation(function(name), l, u) for name in options.names]
    if options.plot:
        from genbab.plot.relaxation import plot_relaxation

        plot_relaxation(shown[0].fn, l, u, lower=slopes, upper=slopes, path=options.plot)
    if options.json:
        write_json({"schema": SCHEMA, "functions": [facts(one, slopes) for one in shown]}, options.json)
    else:
        sys.stdout.write("\n\n".join(text(one, slopes) for one in shown) + "\n")
    return 0


def _number(options: argparse.Namespace, name: str) -> float:
    return _real(getattr(options, name), {"lower": "L", "upper": "U"}[name])


def _real(word: str, what: str) -> float:
    try:
        value = float(word)
    except ValueError:
        raise UsageError(f"{what}: '{word}' is not a number (genbab relax NAME L U)") from None
    if not math.isfinite(value):
        raise UsageError(f"{what}: '{word}' is not a finite number")
    return value


def facts(shown: FunctionRelaxation, slopes: list[float]) -> dict[str, Any]:
    """Everything about one function, in plain values."""
    from genbab.nonlinear.lines.describe import segments, title
    from genbab.nonlinear.lines.picture import line

    fn = shown.fn
    sides = [line(fn, shown.l, shown.u, k, side) for k in slopes for side in (False, True)]
    return {
        "name": title(fn),
        "domain": list(fn.domain),
        "segments": [{"low": low, "high": high, "curvature": kind} for low, high, kind in segments(fn)],
        "period": fn.period or None,
        "kinks": list(fn.kinks),
        "jumps": [dict(zip(("low", "high", "left", "right"), one, strict=True)) for one in fn.jumps],
        "l": shown.l,
        "u": shown.u,
        "range": list(shown.range),
        "lower": _line_facts(shown.lower),
        "upper": _line_facts(shown.upper),
        "lines": [{**_line_facts(side), "side": "upper" if side.upper else "lower"} for side in sides],
        "area": shown.area,
        "least_area": shown.least_area,
    }


def _line_facts(side: Line) -> dict[str, float | None]:
    return {
        "slope": side.slope,
        "intercept": side.intercept,
        "touch": side.touch if side.finite else None,
    }


def text(shown: FunctionRelaxation, slopes: list[float]) -> str:
    """The same for people; what is rounded is rounded outward."""
    from genbab.nonlinear.lines.describe import curvature, domain, jumps, kinks, number, title, verdict
    from genbab.nonlinear.lines.picture import line

    fn, l, u = shown.fn, shown.l, shown.u  # noqa: E741
    rows = [
        ("domain", domain(fn)),
        ("curvature", curvature(fn)),
        ("kinks", kinks(fn)),
        ("jumps", jumps(fn)),
        ("range", f"[{_down(shown.range[0])}, {_up(shown.range[1])}]"),
        ("lower", _line_text(shown.lower)),
        ("upper", _line_text(shown.upper)),
    ]
    for k in slopes:
        rows += [
            (f"slope {number(k)}", _line_text(line(fn, l, u, k, False))),
            ("", _line_text(line(fn, l, u, k, True))),
        ]
    rows.append(("result", verdict(shown)))
    width = max(len(name) for name, _ in rows)
    heading = f"{title(fn)} on [{number(l)}, {number(u)}]"
    return "\n".join([heading, *(f"  {name:<{width}}  {what}" for name, what in rows)])


def _line_text(side: Line) -> str:
    from genbab.nonlinear.lines.describe import number

    relation = "<=" if side.upper else ">="
    if not side.finite:
        return "none"
    shift = (_up if side.upper else _down)(side.intercept)
    shift = f"- {shift[1:]}" if shift.startswith("-") else f"+ {shift}"
    return f"f(x) {relation} {side.slope!r}·x {shift}, closest at x = {number(side.touch)}"


def _down(value: float) -> str:
    """A few digits, rounded towards minus infinity."""
    return _rounded(value, ROUND_FLOOR)


def _up(value: float) -> str:
    """A few digits, rounded towards infinity."""
    return _rounded(value, ROUND_CEILING)


def _rounded(value: float, way: str) -> str:
    if not math.isfinite(value):
        return f"{value}"
    rounded = Context(prec=DIGITS, rounding=way).create_decimal(value + 0.0)
    return f"{rounded.normalize():f}" if 1e-6 < abs(value) < 1e15 else f"{rounded.normalize()}"


def _library(options: argparse.Namespace) -> int:
    from genbab.nonlinear import REGISTRY
    from genbab.nonlinear.composed.formula import signature, suggested
    from genbab.nonlinear.lines.describe import operators

    chosen = [name for name in (*(options.names or ()), options.lower, options.upper) if name is not None]
    unknown = [name for name in chosen if name not in REGISTRY]
    if unknown:
        raise UsageError("; ".join(f"unknown function '{name}'{suggested(name)}" for name in unknown))
    listed = [(signature(name), operators(name)) for name in sorted(chosen or REGISTRY)]
    if options.json:
        rows = [{"function": function, "onnx": kinds} for function, kinds in listed]
        write_json({"schema": SCHEMA, "functions": rows}, options.json)
        return 0
    width = max(len(function) for function, _ in listed)
    for function, kinds in listed:
        sys.stdout.write(f"{function:<{width}}  {', '.join(kinds)}".rstrip() + "\n")
    return 0
