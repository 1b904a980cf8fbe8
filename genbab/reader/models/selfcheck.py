"""The reader's check of itself: random inputs through the network must give what onnxruntime gives.

Tolerance, for every number by itself: 1e-4 of it (onnxruntime computes in float32), or, where the format
of the file loses more than that, 20 times what it moves this number by (genbab/network/computed/noise.py).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from onnx import ModelProto, ValueInfoProto
from torch import Tensor

from genbab.errors import ModelError
from genbab.network import Network, evaluate, noises, values, without_domains
from genbab.network.interval import propagate
from genbab.network.rounding.formats import Format
from genbab.nonlinear import Nonlinearity
from genbab.reader.convert.convert import Converted
from genbab.reader.onnx.files import Signature
from genbab.reader.onnx.runtime import InferenceSession, divided, opened, outputs
from genbab.reader.rounding.forms import shortest
from genbab.reader.tensors.values import Array, count

RELATIVE = 1e-4
ABSOLUTE = 1e-6
NOISE = 20.0
NEAR = 3.0
SEED = 20240101
SIMPLIFIED = "every node agrees with onnxruntime, but the simplified network does not"
LOST = (
    "over the real numbers the outputs differ from onnxruntime's at random inputs: numbers in between leave "
    "the range of floating-point arithmetic"
)
UNDEFINED = (
    "; a branch may be undefined where it is not taken only if the condition compares the very tensor that "
    "the function is taken of (or its absolute value) with a constant"
)


def self_check(
    proto: ModelProto, signature: Signature, converted: Converted, network: Network
) -> tuple[str, ...]:
    """Remarks for the user when the network agrees with onnxruntime.

    Raises `ModelError` naming the first node where it does not.
    """
    network = without_domains(network)
    session = _session(proto, signature)
    names = [o.name for o in proto.graph.output]
    compared, failed = False, list[ModelError]()
    for x in _points(network.input_size, signature):
        if _left_open(converted.network, x):
            continue
        try:
            expected = _run(session, signature, names, x)
        except ModelError as error:  # integers may be places in a table that is shorter
            if signature.whole is None:
                raise
            failed.append(error)
            continue
        wanted = [int(np.prod(a.shape)) for a in expected]
        if wanted != [count(s) for s in converted.output_shapes]:
            raise ModelError(
                f"{signature.source}: onnxruntime's outputs have shapes {[a.shape for a in expected]}"
            )
        flat = np.concatenate([a.reshape(-1).astype(np.float64) for a in expected])
        found = evaluate(network, torch.from_numpy(x)).numpy()
        compared = compared or bool(np.isfinite(flat).any())
        if _differs(found, flat) and not _near(network, x, flat, _noise(network, converted, x)):
            wrong = _explain(proto, signature, converted, x)
            if wrong or not _may_agree(converted.network, network, x):
                raise ModelError(wrong or f"{signature.source}: {SIMPLIFIED}")
            return (LOST,)
    if compared:
        return ()
    if failed:
        raise failed[0]
    return ("not checked against onnxruntime: no random input gave finite outputs",)


def same_values(proto: ModelProto, signature: Signature, network: Network, form: Format) -> tuple[str, ...]:
    """Remarks for the user when onnxruntime finds in a graph, at random inputs, the outputs of a network.

    Raises `ModelError` where it finds others.
    """
    network, session = without_domains(network), _session(proto, signature)
    names, compared = [o.name for o in proto.graph.output], False
    for x in _points(network.input_size, signature):
        found, point = _run(session, signature, names, x), torch.from_numpy(x)
        expected = np.concatenate([a.reshape(-1).astype(np.float64) for a in found])
        wanted = evaluate(network, point).numpy()
        both = np.where(np.isfinite(wanted), expected, np.nan)  # a pole is near, or a number out of range
        compared = compared or bool(np.isfinite(both).any())
        if _differs(wanted, both) and _differs(
            wanted, both, noises(network, point, form)[network.output].numpy()
        ):
            raise ModelError(f"{signature.source}: {_gap(wanted, both)}")
    return () if compared else ("not checked against onnxruntime: no random input gave finite outputs",)


def _may_agree(lowered: Network, simplified: Network, x: Array) -> bool:
    """Whether the two have a value in common at x.

    With all that rounding and underflow may have taken from the arithmetic of either.
    """
    point = torch.from_numpy(x)[None]
    (low, high), (least, most) = (propagate(n, (point, point))[n.output] for n in (lowered, simplified))
    return bool((torch.maximum(low, least) <= torch.minimum(high, most)).all())


def _near(network: Network, x: Array, expected: Array, noise: Array) -> bool:
    """Whether onnxruntime finds what the network says of x, where that is known to a distance only."""
    if not network.implicit:
        return not _differs(evaluate(network, torch.from_numpy(x)).numpy(), expected, noise)
    point = torch.from_numpy(x)[None]
    low, high = (end[0].numpy() for end in propagate(network, (point, point))[network.output])
    return not _differs(np.clip(expected, low, high), expected, noise)


def _left_open(network: Network, x: Array) -> bool:
    """Whether x makes a number that a conversion to integers cannot hold: ONNX leaves open what comes out."""
    functions = [(n.fn, n.args[0]) for n in network.nonlinear.values()]
    guards = [(fn, a) for fn, a in functions if isinstance(fn, Nonlinearity) and fn.name == "within"]
    if not guards:
        return False
    found = values(network, torch.from_numpy(x))
    asked = [(found[a], fn.value(found[a])) for fn, a in guards]
    return any(bool((~torch.isnan(a) & torch.isnan(kept)).any()) for a, kept in asked)


def _points(size: int, signature: Signature) -> list[Array]:
    """Numbers of the inputs' types, up to float32, as float64.

    A few spreads, so that some point lies in the domain of every function; integers near 0 and anywhere.
    """
    random = np.random.default_rng(SEED)
    normal = random.standard_normal((2, size))
    points = [normal[0], random.random(size), 0.1 * normal[1], 1.0 + random.random(size)]
    points = [p.astype(np.float32).astype(np.float64) for p in points]
    if signature.whole is not None:
        whole = signature.whole
        columns, low, high = (t.numpy() for t in (whole.columns, whole.low, whole.high))
        few, near = random.integers(2, size=len(low)), np.rint(NEAR * random.standard_normal(len(low)))
        anywhere = random.integers(low, high, size=(2, len(low)), endpoint=True)
        for p, drawn in zip(points, (few, near, *anywhere), strict=True):
            p[columns] = np.clip(drawn, low, high)
    feeds = [
        divided(p, signature.input_names, signature.input_shapes, signature.input_dtypes) for p in points
    ]
    return [np.concatenate([v.reshape(-1).astype(np.float64) for v in feed.values()]) for feed in feeds]


def points_near(inputs: tuple[Tensor, ...]) -> Iterator[tuple[str, tuple[Tensor, ...]]]:
    """Inputs of a module to compare it at, and where they are: the example, and random ones near it."""
    yield "on the example", inputs
    random = torch.Generator("cpu").manual_seed(0)
    for spread in (0.1, 1.0, 3.0):
        yield "near the example", tuple(_moved(i, spread, random) for i in inputs)


def _moved(x: Tensor, spread: float, random: torch.Generator) -> Tensor:
    """Random numbers near those of x; of integers, which may be places in a table, some that x has."""
    if x.is_floating_point():
        return x + spread * torch.randn(x.shape, generator=random, dtype=x.dtype, device="cpu").to(x.device)
    place = torch.randint(max(1, x.numel()), x.shape, generator=random).to(x.device)
    return x.reshape(-1)[place] if x.numel() else x


def _session(proto: ModelProto, signature: Signature) -> InferenceSession:
    try:
        return opened(proto, signature.source)
    except ModelError as error:
        if "NOT_IMPLEMENTED" not in str(error) or np.dtype(np.float64) not in signature.input_dtypes:
            raise
        lacks = "it lacks this operator for float64: give the model in float32 (module.float())"
        raise ModelError(f"{error}; {lacks}") from error


def _run(session: InferenceSession, signature: Signature, names: list[str], x: Array) -> list[Array]:
    feed = divided(x, signature.input_names, signature.input_shapes, signature.input_dtypes)
    return outputs(session, names, feed, signature.source)


def _noise(network: Network, converted: Converted, x: Array) -> Array:
    """What rounding may move each output by at x, computed as lowered or as simplified."""
    point, form = torch.from_numpy(x), shortest(converted.tensors.values())
    parts = [noises(one, point, form)[one.output] for one in (converted.network, network)]
    return torch.maximum(*parts).numpy()


def _differs(found: Array, expected: Array, noise: Array | float = 0.0) -> bool:
    """Whether an entry that onnxruntime finds finite is not the same here."""
    finite = np.isfinite(expected)
    limit = RELATIVE * np.abs(expected) + ABSOLUTE + NOISE * noise
    with np.errstate(invalid="ignore"):
        close = np.abs(found - expected) <= limit
    return not bool(close[finite].all())


def _gap(found: Array, expected: Array) -> str:
    """How an array, some of whose entries onnxruntime finds finite, differs from what it gives."""
    finite = np.isfinite(expected)
    both = finite & np.isfinite(found)
    size, parts = np.abs(expected[finite]).max(), []
    if both.any():
        parts.append(f"largest difference {np.abs(found[both] - expected[both]).max():.3g}")
    if lost := int((finite & ~both).sum()):
        parts.append(f"{lost} of {finite.sum()} finite entries are not finite here")
    return ", ".join([*parts, f"largest entry {size:.3g}"])


def _explain(proto: ModelProto, signature: Signature, converted: Converted, x: Array) -> str:
    """Which node differs first, in the graph's order; "" where all agree."""
    exposed = ModelProto()
    exposed.CopyFrom(proto)
    known = {o.name for o in proto.graph.output}
    made = [(node, name) for node in proto.graph.node for name in node.output if name in converted.tensors]
    exposed.graph.output.extend(ValueInfoProto(name=name) for _, name in made if name not in known)
    theirs = _run(_session(exposed, signature), signature, [name for _, name in made], x)
    ours, noise = (
        values(converted.network, torch.from_numpy(x)),
        noises(converted.network, torch.from_numpy(x), shortest(converted.tensors.values())),
    )
    for (node, name), tensor in zip(made, theirs, strict=True):
        found = ours[converted.tensors[name].node].numpy()
        expected = tensor.reshape(-1).astype(np.float64)
        place = f"{signature.source}: node '{node.name or name}' ({node.op_type})"
        if found.shape != expected.shape:
            return f"{place} has {found.size} entries here and {expected.size} in onnxruntime"
        if _differs(found, expected, noise[converted.tensors[name].node].numpy()):
            hint = UNDEFINED if node.op_type == "Where" and not np.isfinite(found).all() else ""
            return f"{place} does not give what onnxruntime gives: {_gap(found, expected)}{hint}"
    return ""
