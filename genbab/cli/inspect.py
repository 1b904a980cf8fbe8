"""`genbab inspect MODEL`: what was understood of a model, or everything that was not."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genbab.cli.output import write_atomically
from genbab.cli.verify import readable
from genbab.errors import ModelError, UnsupportedError
from genbab.result import plain

if TYPE_CHECKING:
    from genbab.network import Network

SCHEMA = 1


def command(options: argparse.Namespace) -> int:
    """Print what was understood; returns 0, or 3 when operators are unsupported (all are listed)."""
    path = Path(options.model)
    readable(path, "model", ModelError)
    from genbab.reader import load_onnx

    try:
        facts = describe(load_onnx(path))
    except UnsupportedError as error:
        if options.json:
            _put({"schema": SCHEMA, "model": str(path), "unsupported": _listed(error)}, options.json)
        raise
    facts = {"schema": SCHEMA, "model": str(path), **facts, "unsupported": []}
    if options.json:
        _put(facts, options.json)
    else:
        _show(facts)
    return 0


def describe(model: Any) -> dict[str, Any]:
    """The facts about a model that was read, in plain values."""
    network: Network = model.network
    return {
        "opset": getattr(model, "opset", None),
        "inputs": _ends(model, "input"),
        "outputs": _ends(model, "output"),
        "input_size": network.input_size,
        "output_size": network.output_size,
        "parameters": getattr(model, "parameters", None),
        "nodes": dict(Counter(type(n).__name__.lower() for n in network.nodes)),
        "functions": functions(network),
        "layers": layers(network),
        "maps": maps(network),
    }


def functions(network: Network) -> dict[str, dict[str, int]]:
    """Per nonlinear function: how many nodes use it, on how many numbers in all."""
    from genbab.network import Nonlinear

    found: dict[str, dict[str, int]] = {}
    for node in network.nodes:
        if isinstance(node, Nonlinear):
            entry = found.setdefault(function_name(node.fn), {"nodes": 0, "size": 0})
            entry["nodes"] += 1
            entry["size"] += node.size
    return found


def layers(network: Network) -> list[dict[str, Any]]:
    """The nonlinear nodes in order: node, function, size."""
    from genbab.network import Nonlinear

    return [
        {"node": network.name(i), "function": function_name(node.fn), "size": node.size}
        for i, node in enumerate(network.nodes)
        if isinstance(node, Nonlinear)
    ]


def maps(network: Network) -> dict[str, int]:
    """How many linear maps of each kind the affine nodes hold."""
    from genbab.network import Affine

    return dict(Counter(type(m).__name__ for n in network.nodes if isinstance(n, Affine) for _, m in n.terms))


def function_name(fn: Any) -> str:
    """The function's name with its parameters, as a person writes it."""
    params = getattr(fn, "params", ())
    name = str(getattr(fn, "name", type(fn).__name__.lower()))
    return f"{name}({', '.join(f'{p:g}' for p in params)})" if params and "(" not in name else name


def _ends(model: Any, side: str) -> list[dict[str, Any]]:
    """Names, shapes and types of the inputs or outputs."""
    names = list(getattr(model, f"{side}_names", ()))
    shapes = list(getattr(model, f"{side}_shapes", ()))
    types = list(getattr(model, f"{side}_dtypes", ()))
    found = []
    for i, name in enumerate(names):
        entry: dict[str, Any] = {"name": name}
        if i < len(shapes):
            entry["shape"] = [int(s) for s in shapes[i]]
        if i < len(types):
            entry["type"] = str(types[i])
        found.append(entry)
    return found


def _listed(error: UnsupportedError) -> list[dict[str, str]]:
    return [{"node": name, "operator": op, "reason": why} for name, op, why in error.problems]


def _put(facts: dict[str, Any], place: str) -> None:
    text = json.dumps(plain(facts), indent=2, allow_nan=False) + "\n"
    if place == "-":
        sys.stdout.write(text)
    else:
        write_atomically(Path(place), text)


def _show(facts: dict[str, Any]) -> None:
    lines = [facts["model"]]
    for side in ("inputs", "outputs"):
        for end in facts[side]:
            shape = "x".join(str(s) for s in end.get("shape", ())) or "scalar"
            lines.append(f"  {side[:-1]:<9} {end['name']}  {shape}  {end.get('type', '')}".rstrip())
    if facts["opset"] is not None:
        lines.append(f"  opset     {facts['opset']}")
    if facts["parameters"] is not None:
        lines.append(f"  weights   {facts['parameters']:,}")
    lines.append("  nodes     " + ", ".join(f"{n} {kind}" for kind, n in facts["nodes"].items()))
    lines.append("  maps      " + ", ".join(f"{n} {kind}" for kind, n in facts["maps"].items()))
    for name, entry in facts["functions"].items():
        lines.append(f"  function  {name}: {entry['size']:,} numbers in {entry['nodes']} node(s)")
    for layer in facts["layers"]:
        lines.append(f"  layer     {layer['size']:>8,}  {layer['function']}  ({layer['node']})")
    sys.stdout.write("\n".join(lines) + "\n")
