"""`genbab nap mine|show`: activation patterns, mined from data and described."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genbab.cli.options.model import ReadingWords
from genbab.cli.tools.samples import Floats, loaded, scaled, whole
from genbab.cli.verify.output import apart, write_json
from genbab.cli.verify.question import readable
from genbab.errors import ModelError, UsageError

if TYPE_CHECKING:
    from genbab.nap import Pattern
    from genbab.reader import Model

Labels = NDArray[np.int64]


def command(options: argparse.Namespace) -> int:
    """Do what was asked; returns 0. Raises `GenbabError` for what does not fit."""
    return _mine(options) if options.action == "mine" else _show(options)


def _mine(options: argparse.Namespace) -> int:
    delta = _share(options.delta)
    apart(
        [p for p in (options.out, options.json) if p not in (None, "-")],
        [p for p in (options.model, options.data, options.labels) if p is not None],
    )
    out = Path(options.out)
    if out.is_dir() or not os.access(out.parent, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write {out}: no such folder, or not writable")
    readable(Path(options.model), "model", ModelError)
    x, y = _samples(options)
    from genbab import nap

    model = _model(options)
    patterns = nap.mine(model, x, y, delta, options.layer, options.kind)
    nap.save(patterns, out)
    facts = _facts(patterns, model, x, y)
    missing = sorted(set(y.tolist()) - set(patterns))
    if options.json is not None:
        write_json({**facts, "patterns_file": str(out), "without_pattern": missing}, options.json)
    if options.json != "-":
        sys.stdout.write(f"{len(patterns)} patterns in {out}\n" + _table(facts))
        if missing:
            listed = ", ".join(map(str, missing))
            sys.stdout.write(f"no pattern for {listed}: no sample of it is classified rightly\n")
    return 0


def _show(options: argparse.Namespace) -> int:
    if (options.data is None) != (options.model is None):
        raise UsageError("which samples follow a pattern: give both --model and --data")
    if options.data is None and (options.labels is not None or options.count is not None):
        raise UsageError("--labels and --count belong to --data")
    if options.json not in (None, "-"):
        apart([options.json], [options.patterns])
    from genbab import nap

    patterns = nap.load(options.patterns)
    facts = _facts(patterns)
    if options.data is not None:
        readable(Path(options.model), "model", ModelError)
        x, y = _samples(options)
        facts = _facts(patterns, _model(options), x, y)
    if options.json is not None:
        write_json(facts, options.json)
    if options.json != "-":
        sys.stdout.write(f"{options.patterns}\n" + _table(facts))
    return 0


def _model(options: argparse.Namespace) -> Model:
    from genbab.reader import load_onnx

    return load_onnx(Path(options.model), wanted=ReadingWords.of(options).wanted())


def _samples(options: argparse.Namespace) -> tuple[Floats, Labels]:
    x, y = loaded(Path(options.data), options.labels)
    count = whole("--count", options.count) or len(x)
    return scaled(x[:count], options.scale), y[:count]


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--delta {text}: must be a number above 0.5 and at most 1") from None


def _facts(
    patterns: Mapping[int, Pattern],
    model: Model | None = None,
    x: Floats | None = None,
    y: Labels | None = None,
) -> dict[str, Any]:
    """What there is to say of the patterns; with samples, how many follow each: of its class, of others."""
    found = []
    for label, pattern in sorted(patterns.items()):
        layers = [
            {"name": one.name, "constrained": one.constrained, "neurons": len(one.lower)}
            for one in pattern.layers
        ]
        facts: dict[str, Any] = {
            "class": label,
            "delta": pattern.delta,
            "samples": pattern.samples,
            "constrained": pattern.constrained,
            "layers": layers,
        }
        if model is not None and x is not None and y is not None:
            follows = pattern.follows(model, x)
            facts["recall"], facts["others"] = _mean(follows[y == label]), _mean(follows[y != label])
        found.append(facts)
    return {"classes": found}


def _mean(follows: NDArray[np.bool_]) -> float | None:
    return float(follows.mean()) if len(follows) else None


def _table(facts: Mapping[str, Any]) -> str:
    """The facts for people: a row per class; layers by number, their names below."""
    classes = facts["classes"]
    if not classes:
        return "no patterns\n"
    names = list(dict.fromkeys(layer["name"] for one in classes for layer in one["layers"]))
    heads = ["class", "delta", "samples", "constrained", *(f"layer {k}" for k in range(1, len(names) + 1))]
    with_data = "recall" in classes[0]
    heads += ["recall", "others"] if with_data else []
    rows = [heads]
    for one in classes:
        sizes = {layer["name"]: f"{layer['constrained']}/{layer['neurons']}" for layer in one["layers"]}
        row = [str(one["class"]), f"{one['delta']:g}", str(one["samples"]), str(one["constrained"])]
        row += [sizes.get(name, "-") for name in names]
        row += [_percent(one[key]) for key in ("recall", "others")] if with_data else []
        rows.append(row)
    widths = [max(len(row[k]) for row in rows) for k in range(len(heads))]
    lines = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    lines += [f"layer {k} is {name}" for k, name in enumerate(names, 1)]
    return "\n".join(lines) + "\n"


def _percent(share: float | None) -> str:
    return "-" if share is None or math.isnan(share) else f"{100 * share:.1f} %"
