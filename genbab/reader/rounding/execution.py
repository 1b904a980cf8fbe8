"""How a file is executed that a proof is about, and the network whose bounds hold for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genbab.errors import UnsupportedError, UsageError
from genbab.network import Network
from genbab.network.rounding.elementary import table
from genbab.network.rounding.formats import FORMATS
from genbab.reader.convert.convert import Converted
from genbab.reader.rounding.deployed import Deployment
from genbab.reader.rounding.norms import norm_of
from genbab.reader.rounding.regions import Regions
from genbab.reader.rounding.rules import FORMS, Rounded


@dataclass(frozen=True)
class Execution:
    """Every execution of a file's operators in this arithmetic, with functions as exact as a table says."""

    arithmetic: str
    elementary: str


def deployed(
    converted: Converted, whole: Network, simple: Network, execution: Execution, source: str
) -> Network:
    """The simplified network whose bounds hold for every execution of what was converted.

    whole: the lowered network with its domains. Raises `UnsupportedError` that lists every operator whose
    rounding has no rule, `UsageError` where the file computes in another format.
    """
    form = FORMATS[execution.arithmetic]
    _check_types(source, [v.element for v in converted.tensors.values()], execution.arithmetic)
    found = Rounded(whole, table(execution.elementary, form))
    for step in converted.steps:
        found.add(step)
    deployment = Deployment(Regions(whole, simple, found.found, form.largest), found.norms)
    network = None if found.problems else deployment.network()
    problems = list(dict.fromkeys(found.problems + deployment.problems))
    if problems or network is None:
        raise UnsupportedError(f"{source} in {execution.arithmetic} arithmetic", problems)
    network.check()
    return network


def kept(converted: Converted) -> frozenset[int]:
    """The lowered nodes that must stay nodes: what norms are of, and what they are."""
    norms = (norm_of(converted.network, step) for step in converted.steps)
    return frozenset(node for norm in norms if norm is not None for node in (norm.source, norm.node))


def _check_types(source: str, types: Sequence[int], arithmetic: str) -> None:
    """Raises `UsageError` where the file computes in another format than is asked for."""
    used = {FORMS[kind].name for kind in types if kind in FORMS}
    if arithmetic not in used or (arithmetic == "float64" and len(used) > 1):
        found = " and ".join(sorted(used)) or "whole numbers"
        wanted = "float32" if "float32" in used else "real" if not used else min(used)
        raise UsageError(f"{source} computes in {found}: ask for --arithmetic {wanted}, or for real")
