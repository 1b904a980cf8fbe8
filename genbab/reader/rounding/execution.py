"""How a file is executed that a proof is about, and the network whose bounds hold for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genbab.errors import UnsupportedError, UsageError
from genbab.network import Network
from genbab.network.rounding.elementary import table
from genbab.network.rounding.formats import BFLOAT16, FLOAT16, FORMATS
from genbab.reader.convert.convert import Converted
from genbab.reader.rounding.deployed import Deployment
from genbab.reader.rounding.forms import FORMS, rounded_to
from genbab.reader.rounding.regions import Regions
from genbab.reader.rounding.rules import Roundings


@dataclass(frozen=True)
class Execution:
    """Every execution of a file's operators in this arithmetic, with functions as exact as a table says."""

    arithmetic: str
    elementary: str


def rounded(converted: Converted, execution: Execution, source: str) -> Roundings:
    """What an execution of what was converted rounds.

    Raises `UnsupportedError` that lists every operator whose rounding has no rule, `UsageError` where the
    file computes in another format.
    """
    form = FORMATS[execution.arithmetic]
    _check_types(source, [v.element for v in converted.tensors.values()], execution.arithmetic)
    found = Roundings(converted.network, table(execution.elementary, form), form)
    for node, element in converted.copies.items():
        found.found[node] = rounded_to(FORMS[element])
    for step in converted.steps:
        found.add(step)
    if found.problems:
        raise _unsupported(source, execution, found.problems)
    return found


def deployed(whole: Network, simple: Network, found: Roundings, execution: Execution, source: str) -> Network:
    """The simplified network whose bounds hold for every execution; whole: the lowered one with its domains.

    Raises `UnsupportedError` where a rewriting cannot be accounted for.
    """
    deployment = Deployment(Regions(whole, simple, found.found, found.form.largest), found.norms)
    network = deployment.network()
    if deployment.problems:
        raise _unsupported(source, execution, deployment.problems)
    network.check()
    return network


def _unsupported(
    source: str, execution: Execution, problems: Sequence[tuple[str, str, str]]
) -> UnsupportedError:
    return UnsupportedError(f"{source} in {execution.arithmetic} arithmetic", list(dict.fromkeys(problems)))


def _check_types(source: str, types: Sequence[int], arithmetic: str) -> None:
    """Raises `UsageError` where the file computes in another format than is asked for."""
    used = sorted({FORMS[kind] for kind in types if kind in FORMS}, key=lambda form: form.unit)
    if not used or used[-1].name != arithmetic:
        found = " and ".join(sorted(form.name for form in used)) or "whole numbers"
        wanted = f"--arithmetic {used[-1].name}, or for real" if used else "--arithmetic real"
        raise UsageError(f"{source} computes in {found}: ask for {wanted}")
    if FLOAT16 in used and BFLOAT16 in used:
        raise UsageError(f"{source} computes in float16 and bfloat16: ask for --arithmetic real")
