"""A model as the program that its file is: bounds hold for what that computes in its own numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from genbab.errors import UnsupportedError, UsageError
from genbab.network.rounding.elementary import table
from genbab.network.rounding.formats import FORMATS
from genbab.reader.models.model import Model, lowered, simplified
from genbab.reader.onnx.files import read_proto
from genbab.reader.rounding.deployed import Deployment
from genbab.reader.rounding.regions import Regions
from genbab.reader.rounding.rules import FORMS, Rounded


def as_program(
    model: Model, arithmetic: str, elementary: str, ask: Callable[[], None] = lambda: None
) -> Model:
    """The model whose bounds hold for every execution of its file's operators in this arithmetic.

    arithmetic: "real" (the model itself), or the floating-point format that the file computes in; elementary:
    the table of errors of elementary functions. Raises `UnsupportedError` that lists every operator whose
    rounding has no rule, `UsageError` where the file computes in another format.
    """
    if arithmetic == "real":
        return model
    proto, signature = read_proto(model.proto)
    converted = lowered(proto, replace(signature, source=model.source), ask, computed=True)
    _check_types(model.source, [v.element for v in converted.tensors.values()], arithmetic)
    whole, simple = simplified(converted, ask, written=True)
    found = Rounded(whole, table(elementary, FORMATS[arithmetic]))
    for step in converted.steps:
        found.add(step)
    deployment = Deployment(Regions(whole, simple, found.found, FORMATS[arithmetic].largest))
    network = None if found.problems else deployment.network()
    problems = list(dict.fromkeys(found.problems + deployment.problems))
    if problems or network is None:
        raise UnsupportedError(f"{model.source} in {arithmetic} arithmetic", problems)
    network.check()
    return replace(model, network=network)


def _check_types(source: str, types: Sequence[int], arithmetic: str) -> None:
    """Raises `UsageError` where the file computes in another format than is asked for."""
    used = {FORMS[kind].name for kind in types if kind in FORMS}
    if arithmetic not in used or (arithmetic == "float64" and len(used) > 1):
        found = " and ".join(sorted(used)) or "whole numbers"
        wanted = "float32" if "float32" in used else "real" if not used else min(used)
        raise UsageError(f"{source} computes in {found}: ask for --arithmetic {wanted}, or for real")
