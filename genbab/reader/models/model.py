"""A model as genbab sees it: the network in normal form, and the file's bytes to replay inputs in."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike
from onnx import ModelProto

from genbab.errors import ModelError, UnsupportedError
from genbab.network import Network, simplify
from genbab.network.rounding.formats import BFLOAT16, FLOAT32, Format
from genbab.nonlinear.composed.defined import keeps_domain
from genbab.reader.convert.convert import Converted, convert
from genbab.reader.domains.domains import with_domains
from genbab.reader.fuse.fuse import fuse
from genbab.reader.fuse.gates import fuse_gates
from genbab.reader.fuse.norms import with_norms
from genbab.reader.implicit.fixed_points import refuse_unsettled, with_fixed_points
from genbab.reader.models.selfcheck import self_check
from genbab.reader.models.tensors import joins, named
from genbab.reader.onnx.custom_operators import expanded
from genbab.reader.onnx.files import Signature
from genbab.reader.onnx.reading import read_proto
from genbab.reader.onnx.runtime import divided
from genbab.reader.onnx.wanted import ALL, HOW_OUTPUTS, HOW_SHAPES, Wanted, narrow
from genbab.reader.prepare.guards import without_guards
from genbab.reader.prepare.inline import inlined
from genbab.reader.rounding.execution import Execution, deployed, rounded
from genbab.reader.rounding.forms import shortest
from genbab.reader.rounding.rules import Roundings

TRIED = 16
"""So many outputs are tried by themselves, where a model cannot be read with all of them."""

UNCHECKED = "not checked against it, and no counterexample can be replayed"
TURNS = "turns of a loop are bounded as the fixed point that they come near, within their distance"


@dataclass(frozen=True, eq=False)
class Model:
    """A network with what is known about its ONNX model.

    The network's input is the concatenation of all inputs in the graph's order, each flattened row-major; its
    output likewise. `proto` are the bytes of a self-contained ONNX model with the input shapes given here.
    `hidden` names tensors inside the graph that are its last outputs (`exposed`).
    `operators` counts the ONNX operators, `notes` are remarks for the user. Weights are float64. Not
    `replayable`: it has operators, brought by the user as facts only, that onnxruntime cannot run. parts: the
    networks of a query whose models it is, side by side; () for a model as it was given. given: the models
    that it was put together from as they were given, by the network's name, which its names begin with;
    inputs are replayed in these. precision: the shortest format that it computes in, if that is below
    float32. execution: what bounds of the network are about, None for the reals. tensors: the graph's names
    of the network's nodes, of those that are tensors of it; joins: pairs of these of which the first is a
    function of the second. ranged: the network holds only where its whole inputs are between the numbers
    that it has for them, by which it was told what integers made of them can be. ones: axes that the file
    leaves open and that were taken as 1: (input, axis).
    """

    source: str
    network: Network
    proto: bytes
    input_names: tuple[str, ...]
    input_shapes: tuple[tuple[int, ...], ...]
    input_dtypes: tuple[np.dtype[np.generic], ...]
    output_names: tuple[str, ...]
    output_shapes: tuple[tuple[int, ...], ...]
    opset: int
    operators: Mapping[str, int]
    notes: tuple[str, ...] = ()
    replayable: bool = True
    parts: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    given: Mapping[str, bytes] = field(default_factory=dict)
    precision: Format = FLOAT32
    execution: Execution | None = None
    tensors: Mapping[int, str] = field(default_factory=dict)
    joins: tuple[tuple[str, str], ...] = ()
    ranged: bool = False
    ones: tuple[tuple[str, int], ...] = ()

    @property
    def functions(self) -> dict[str, int]:
        """Per nonlinear function, how many neurons have it; what only keeps domains does not count."""
        counted: Counter[str] = Counter()
        for node in self.network.functions.values():
            if not keeps_domain(node.fn):
                counted[str(node.fn) if len(node.args) == 1 else node.fn.name] += node.size
        return dict(counted)

    @property
    def taken_as_one(self) -> str:
        """Which axes were taken as 1 and how they are set, as the end of an error about sizes; "" if none."""
        if not self.ones:
            return ""
        listed = " and ".join(f"axis {i} of '{name}'" for name, i in self.ones)
        name = self.ones[0][0]
        shape = [str(n) for n in self.input_shapes[self.input_names.index(name)]]
        how = HOW_SHAPES.format(name, ",".join(shape), ", ".join(shape))
        return f" ({listed}, which the file leaves open, was taken as 1; to set it: {how})"

    def inputs(self, x: ArrayLike) -> dict[str, npt.NDArray[Any]]:
        """The numbers of a point x, of a counterexample say, as the model's inputs, by name.

        Arrays of the shapes and types of the inputs: `torch.from_numpy` makes a module's inputs of them.
        """
        flat = np.asarray(x, np.float64).reshape(-1)
        return divided(flat, self.input_names, self.input_shapes, self.input_dtypes)

    def summary(self) -> str:
        """A few lines for people: what was read and what it became."""
        affine = len(self.network.affine)
        relaxed = sum(not keeps_domain(node.fn) for node in self.network.functions.values())
        kinds = ["" if kind.kind == "f" else f" {kind}" for kind in self.input_dtypes]
        tensors = [
            f"  {side} {name} {list(shape)}{kind}"
            for side, names, shapes, types in (
                ("input ", self.input_names, self.input_shapes, kinds),
                ("output", self.output_names, self.output_shapes, [""] * len(self.output_names)),
            )
            for name, shape, kind in zip(names, shapes, types, strict=True)
        ]
        operators = ", ".join(f"{k} {n}" for k, n in sorted(self.operators.items()))
        functions = (
            ", ".join(f"{k} {n}" for k, n in sorted(self.functions.items())) or "none: the network is affine"
        )
        return "\n".join(
            [
                f"{self.source} (opset {self.opset})",
                *tensors,
                f"  operators: {operators}",
                f"  lowered to {affine} affine and {relaxed} nonlinear nodes",
                f"  neurons by function: {functions}",
                *(f"  note: {note}" for note in self.notes),
            ]
        )


def load_onnx(
    source: str | os.PathLike[str] | bytes | ModelProto,
    check: bool = True,
    ask: Callable[[], None] = lambda: None,
    execution: Execution | None = None,
    wanted: Wanted = ALL,
) -> Model:
    """The model in a file (.onnx, .onnx.gz), in bytes, or in a ModelProto; symbolic batch axes become 1.

    wanted: the outputs that it has, and shapes of its inputs.

    `ask` is called now and then; what it raises (`DeadlineReached`) ends the work. With `check`, random
    inputs must give what onnxruntime gives. execution: as for `as_executed`. Raises `ModelError` (missing,
    damaged, inconsistent, disagreeing with onnxruntime) or `UnsupportedError` (lists every operator without a
    rule).
    """
    proto, signature = read_proto(source, wanted)
    return build_model(proto, signature, check, ask, execution)


def lowered(
    proto: ModelProto, signature: Signature, ask: Callable[[], None] = lambda: None, computed: bool = False
) -> Converted:
    """A checked proto, its functions spelled out, as it is lowered; `computed` as for `convert`."""
    plain = without_guards(inlined(proto, signature.source))
    inputs = list(zip(signature.input_names, signature.input_shapes, strict=True))
    converted = convert(plain, inputs, signature.source, ask, computed, signature.whole)
    converted.network.check()
    if computed:
        refuse_unsettled(converted.network, signature.source)
    return converted


def simplified(
    converted: Converted, ask: Callable[[], None], found: Roundings | None = None
) -> tuple[Network, Network, Network]:
    """(the lowered network, undefined where the file's graph is; with functions fused; of fewer nodes).

    found: what is rounded, where the latter must know the tensors between which that happens.
    """
    whole = with_domains(converted.network, converted.selections)
    if found is None:
        fused = fuse_gates(fuse(with_norms(whole), ask))
        return whole, fused, simplify(fused)
    fused = fuse_gates(fuse(with_norms(whole), ask, frozenset(found.found)))
    return whole, fused, simplify(fused, True, found.kept)


def _lowered(proto: ModelProto, signature: Signature, ask: Callable[[], None], computed: bool) -> Converted:
    """As `lowered`; where operators have no rule and other outputs could be read alone, the error says so."""
    try:
        return lowered(proto, signature, ask, computed)
    except UnsupportedError as error:
        names = [o.name for o in proto.graph.output] if len(proto.graph.output) > 1 else []
        alone = [name for name in names[:TRIED] if _readable(proto, signature, name, ask)]
        if not alone:
            raise
        told = f"without them: output {', '.join(alone)} ({HOW_OUTPUTS.format(alone[0])})"
        raise UnsupportedError(error.source, error.problems, told) from error


def _readable(proto: ModelProto, signature: Signature, output: str, ask: Callable[[], None]) -> bool:
    """Whether the model could be read if it had this output only."""
    part = ModelProto()
    part.CopyFrom(proto)
    narrow(part, Wanted((output,)))
    try:
        lowered(part, signature, ask)
    except ModelError:
        return False
    return True


def _executed(
    whole: Network, network: Network, found: Roundings, execution: Execution, source: str
) -> Network:
    """The network with what its execution rounds; whole: as it was lowered, undefined where the graph is."""
    try:
        return deployed(whole, network, found, execution, source)
    except UnsupportedError:  # without functions that were fused: looser, but closer to the file
        plain = simplify(with_norms(whole) if found.norms else whole, True, found.kept)
        return deployed(whole, plain, found, execution, source)


def build_model(
    proto: ModelProto,
    signature: Signature,
    check: bool = True,
    ask: Callable[[], None] = lambda: None,
    execution: Execution | None = None,
    implicit: bool = True,
) -> Model:
    """The model of a checked proto; not `implicit`: every turn of a loop is bounded as it is written."""
    written, alone = expanded(proto, signature.source)
    operators = Counter(n.op_type for n in proto.graph.node)
    proto = written
    converted = _lowered(proto, signature, ask, execution is not None)
    found = None if execution is None else rounded(converted, execution, signature.source)
    whole, fused, network = simplified(converted, ask, found)
    if implicit and execution is None:
        network = with_fixed_points(network, ask)
    refuse_unsettled(network, signature.source)
    precision = shortest(converted.tensors.values())
    runs = not alone and precision is not BFLOAT16
    notes = self_check(proto, signature, converted, network) if check and runs else ()
    if execution is not None and found is not None:
        network = _executed(whole, network, found, execution, signature.source)
    if not runs:
        lacks = f"know {', '.join(alone)}" if alone else "compute in bfloat16 on a CPU"
        notes = (f"onnxruntime does not {lacks}: {UNCHECKED}",)
    notes += (TURNS,) if network.implicit else ()
    return Model(
        source=signature.source,
        network=network,
        proto=proto.SerializeToString(),
        input_names=signature.input_names,
        input_shapes=signature.input_shapes,
        input_dtypes=signature.input_dtypes,
        output_names=tuple(o.name for o in proto.graph.output),
        output_shapes=converted.output_shapes,
        opset=signature.opset,
        operators=operators,
        notes=(*signature.notes, *notes),
        replayable=runs,
        precision=precision,
        execution=execution,
        tensors=named(converted, network),
        joins=joins(converted, fused),
        ranged=converted.ranged,
        ones=signature.ones,
    )
