"""`genbab inspect MODEL [SPEC]`: what was understood of a model, or everything that was not, and the plan."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genbab.cli.options.model import ReadingWords
from genbab.cli.options.settings import settings_of
from genbab.cli.tools.layers import drawn, looked, plottable, shown
from genbab.cli.tools.spec_text import Sizes
from genbab.cli.verify.output import apart, write_json
from genbab.cli.verify.question import readable
from genbab.config import Config
from genbab.errors import ModelError, SpecError, UnsupportedError

if TYPE_CHECKING:
    from genbab.bounds import Engine
    from genbab.network import Network
    from genbab.problem import Query
    from genbab.reader import Model

SCHEMA = 1


def command(options: argparse.Namespace) -> int:
    """Print what was understood; returns 0, or 3 when operators are unsupported (all are listed)."""
    path = Path(options.model)
    config, words = Config.from_text(settings_of(options)), ReadingWords.of(options)
    if options.plot:
        plottable(options.plot, options.spec)
    readable(path, "model", ModelError)
    if options.spec:
        readable(Path(options.spec), "specification", SpecError)
    written = [name for name in (options.json, options.plot) if name and name != "-"]
    apart(written, [name for name in (options.model, options.spec) if name])
    from genbab.reader import load_onnx

    try:
        model = load_onnx(path, wanted=words.wanted())
        engine, query = asked(model, options.spec, config)
        plan = {"spec": options.spec, **planned(engine, query, config)}
        root, widths = looked(engine, query, config) if options.spec else (None, {})
        facts = {**describe(model), "plan": plan, "root": root}
    except UnsupportedError as error:
        if options.json:
            write_json({"schema": SCHEMA, "model": str(path), "unsupported": _listed(error)}, options.json)
        raise
    facts = {"schema": SCHEMA, "model": str(path), **facts, "unsupported": []}
    if root is not None and options.plot:
        drawn(root, widths, f"{path.name} · {Path(options.spec).name}", Path(options.plot))
    if options.json:
        write_json(facts, options.json)
    else:
        _show(facts)
    return 0


def describe(model: Model) -> dict[str, Any]:
    """The facts about a model that was read, in plain values."""
    network = model.network
    affine = network.affine.values()
    return {
        "opset": model.opset,
        "operators": dict(sorted(model.operators.items())),
        "inputs": [
            {"name": name, "shape": list(shape), "type": str(dtype)}
            for name, shape, dtype in zip(
                model.input_names, model.input_shapes, model.input_dtypes, strict=True
            )
        ],
        "outputs": [
            {"name": name, "shape": list(shape)}
            for name, shape in zip(model.output_names, model.output_shapes, strict=True)
        ],
        "input_size": network.input_size,
        "output_size": network.output_size,
        "nodes": dict(Counter(type(n).__name__.lower() for n in network.nodes)),
        "maps": dict(Counter(type(m).__name__.lower() for n in affine for _, m in n.terms)),
        "weights": sum(numbers(m) for n in affine for _, m in n.terms),
        "functions": functions(network),
        "layers": layers(network),
        "notes": list(model.notes),
    }


def asked(model: Model, spec: str | None, config: Config) -> tuple[Engine, Query]:
    """The engine and the question as `verify` has them.

    Without a specification every input varies and there is one row per output. Raises `SpecError`.
    """
    from genbab.bounds import Engine
    from genbab.driver import on_integers, unspecified
    from genbab.network import lifted
    from genbab.problem import queries
    from genbab.reader import check_declared
    from genbab.specs import read_vnnlib
    from genbab.system.device import resolve

    place = resolve(config.device)
    engine = Engine.of(model.network, config, place, lambda: None)
    if spec is None:
        return engine, unspecified(engine.exact, place)
    parsed = read_vnnlib(spec)
    check_declared(model, parsed.declared)
    Sizes(model.input_shapes, model.output_shapes, "the model", model.taken_as_one).fit(parsed, spec)
    if not parsed.vacuous:
        model, parsed = on_integers(model, parsed)
    if parsed.vacuous:
        raise SpecError("the input set is empty: nothing to verify", spec)
    engine = Engine.of(lifted(model.network, parsed), config, place, lambda: None)
    return engine, queries(parsed, engine.exact, place)


def planned(engine: Engine, query: Query, config: Config) -> dict[str, Any]:
    """What `verify` decides before branching, by the same code: with all boxes of the specification.

    Verify asks again with the boxes that are open after cheap bounds.
    """
    from genbab.driver import strategy

    plan = strategy(engine, [query], config).to_dict()
    return {"device": str(query.lower.device), "memory": config.memory, **plan}


def numbers(part: Any) -> int:
    """How many weights a linear map holds, parts of parts included."""
    if hasattr(part, "is_floating_point"):
        return int(part.numel()) if part.is_floating_point() else 0
    if dataclasses.is_dataclass(part):
        return sum(numbers(getattr(part, f.name)) for f in dataclasses.fields(part))
    return sum(map(numbers, part)) if isinstance(part, (tuple, list)) else 0


def functions(network: Network) -> dict[str, dict[str, int]]:
    """Per nonlinear function: how many nodes use it, on how many numbers in all."""
    found: dict[str, dict[str, int]] = {}
    for node in network.functions.values():
        entry = found.setdefault(function_name(node.fn), {"nodes": 0, "size": 0})
        entry["nodes"] += 1
        entry["size"] += node.size
    return found


def layers(network: Network) -> list[dict[str, Any]]:
    """The nonlinear nodes in order: node, function, size."""
    return [
        {"node": network.name(i), "function": function_name(node.fn), "size": node.size}
        for i, node in network.functions.items()
    ]


def function_name(fn: Any) -> str:
    """The function with its parameters, as a person writes it."""
    return str(fn) if hasattr(fn, "params") else str(fn.name)


def _listed(error: UnsupportedError) -> list[dict[str, str]]:
    return [{"node": name, "operator": op, "reason": why} for name, op, why in error.problems]


def _show(facts: dict[str, Any]) -> None:
    lines = [f"{facts['model']}  (opset {facts['opset']})"]
    for side in ("inputs", "outputs"):
        for end in facts[side]:
            shape = "x".join(map(str, end["shape"])) or "scalar"
            lines.append(f"  {side[:-1]:<10} {end['name']}  {shape}  {end.get('type', '')}".rstrip())
    lines.append("  operators  " + _counted(facts["operators"]))
    lines.append("  lowered to " + _counted(facts["nodes"]))
    lines.append(f"  maps       {_counted(facts['maps'])}; {facts['weights']:,} weights")
    for name, entry in facts["functions"].items():
        lines.append(f"  function   {name}: {entry['size']:,} neurons in {entry['nodes']} node(s)")
    lines += [f"  layer      {e['size']:>8,}  {e['function']}  ({e['node']})" for e in facts["layers"]]
    lines += [f"  note       {note}" for note in facts["notes"]]
    lines += _plan(facts["plan"])
    lines += shown(facts["root"]) if facts["root"] else []
    sys.stdout.write("\n".join(lines) + "\n")


def _plan(plan: dict[str, Any]) -> list[str]:
    """What verify would do and why, as lines."""
    asked = plan["spec"] or "no specification: every input varies, one row per output"
    mib = {k: f"{plan[k] / (1 << 20):,.0f} MiB" for k in ("memory", "pool", "forms")}
    sizes = f"{plan['boxes']:,} box(es), {plan['rows']:,} row(s) each, {plan['varying']:,} varying inputs"
    cost = f"{plan['pass_cost']:.3g} multiply-adds a box for these rows"
    hidden = f"{plan['tighten_cost']:.3g} for all hidden rows; {plan['chunk']:,} rows at a time"
    parts = f"{mib['pool']} for open domains, {mib['forms']} for forms of hidden rows"
    lines = [f"plan for {asked}", f"  question   {sizes}", f"  one pass   {cost}, {hidden}"]
    lines.append(f"  memory     {mib['memory']} on {plan['device']}: {parts}")
    return lines + [f"  decision   {reason}" for reason in plan["reasons"]]


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {kind}" for kind, n in counts.items()) or "none"
