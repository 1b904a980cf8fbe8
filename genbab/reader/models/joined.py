"""The models of a query's networks put side by side in one, and whether a model is what a query declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, compose, helper, numpy_helper

from genbab.errors import ModelError, SpecError
from genbab.reader.models.model import Model
from genbab.reader.onnx.custom_operators import expanded
from genbab.reader.onnx.files import TYPES
from genbab.reader.onnx.opsets import raised
from genbab.reader.onnx.reading import read_proto
from genbab.reader.tensors import elements
from genbab.specs import NetworkName, TensorName, own_models

SEPARATOR = "/"  # no network's name contains it, so the prefixes are free of each other


@dataclass(frozen=True, eq=False)
class Joined:
    """One model that runs several side by side, and the models it is made of, by the network's name."""

    proto: bytes
    given: Mapping[str, bytes]


def joined(networks: Sequence[NetworkName], models: Mapping[str, Path]) -> Joined:
    """A model that runs all networks side by side, on inputs of their own.

    networks: in their order, which is that of its inputs and outputs, and their tensors' order is that of
    the declarations; models: the files of those that have a model of their own. Names of network f begin
    with "f/". Models of older operator sets are converted to the newest among them (`raised`). Raises
    `ModelError` for files that cannot be read, tensors that are not there and operator sets that cannot be
    made the same.
    """
    owners = [_owner(networks, network) for network in networks]
    read = {name: read_proto(models[name]) for name in dict.fromkeys(owners)}
    given = {name: expanded(proto, signature.source)[0] for name, (proto, signature) in read.items()}
    version = max(signature.opset for _, signature in read.values())
    _check_domains(given)
    newest = {
        name: proto if read[name][1].opset == version else raised(proto, read[name][1], version)
        for name, proto in given.items()
    }
    whole = ModelProto(ir_version=4, producer_name="genbab")
    for network, owner in zip(networks, owners, strict=True):
        name, signature = network.name, read[owner][1]
        inputs = _ordered(network.inputs, signature.input_names, f"input of {name}", signature.source)
        ends = [o.name for o in given[owner].graph.output]
        outputs = _ordered(network.outputs, ends, f"output of {name}", signature.source)
        proto = compose.add_prefix(newest[owner], name + SEPARATOR)
        _append(whole, proto, [name + SEPARATOR + i for i in inputs], [name + SEPARATOR + o for o in outputs])
    others = {d: v for proto in given.values() for d, v in _opsets(proto).items()}
    whole.opset_import.extend(helper.make_opsetid(d, v) for d, v in {**others, "": version}.items())
    whole.graph.name = "+".join(n.name for n in networks)
    data = {owner: proto.SerializeToString() for owner, proto in given.items()}
    return Joined(whole.SerializeToString(), {n.name: data[o] for n, o in zip(networks, owners, strict=True)})


def _opsets(proto: ModelProto) -> dict[str, int]:
    """The versions of the operator sets by domain; ONNX's own is ""."""
    return {"" if one.domain == "ai.onnx" else one.domain: one.version for one in proto.opset_import}


def _check_domains(models: Mapping[str, ModelProto]) -> None:
    """Raise `ModelError` where an operator set other than ONNX's own is wanted in several versions."""
    found: dict[str, dict[int, str]] = {}
    for name, proto in models.items():
        for domain, version in _opsets(proto).items():
            found.setdefault(domain, {}).setdefault(version, name)
    if wrong := {domain: versions for domain, versions in found.items() if domain and len(versions) > 1}:
        told = "; ".join(
            f"{domain}: " + ", ".join(f"{v} ({n})" for v, n in sorted(versions.items()))
            for domain, versions in wrong.items()
        )
        raise ModelError(f"models of one query need the same version of an operator set, found {told}")


def check_declared(model: Model, networks: Sequence[NetworkName]) -> None:
    """Raise SpecError where the model certainly is not the declared one.

    That is: it was not put together from all the networks with a model of their own, its tensors are in
    another order than the names in the text say, or of other types than integers in the text are.
    """
    own = own_models(networks)
    several = networks if model.parts else networks[:1]
    kinds, inputs = element_types(model), len(model.input_names)
    ends = (
        ("input", (t for n in several for t in n.inputs), kinds[:inputs]),
        ("output", (t for n in several for t in n.outputs), kinds[inputs:]),
    )
    if wrong := [
        f"{tensor.name} is declared {tensor.type}, the model's {what} is {kind}"
        for what, tensors, own_kinds in ends
        for tensor, kind in zip(tensors, own_kinds, strict=False)
        if _other(tensor, kind)
    ]:
        raise SpecError("; ".join(wrong))
    if model.parts or not networks:
        return
    if len(own) > 1:
        options = " ".join(f"--network {name}=..." for name in own)
        raise SpecError(
            f"the networks {', '.join(own)} have a model each, one was given: genbab verify QUERY {options}"
        )
    wrong = [
        f"{tensor.name} is '{tensor.onnx_name}', the model's {what} number {k + 1} is '{names[k : k + 1]}'"
        for what, tensors, names in _ends(model, networks[0])
        for k, tensor in enumerate(tensors)
        if tensor.onnx_name and tuple(names[k : k + 1]) != (tensor.onnx_name,)
    ]
    if wrong:
        raise SpecError("; ".join(wrong))


def _other(tensor: TensorName, kind: str) -> bool:
    """Whether a tensor is declared to be of integers, or truth values, and the model's is of another type."""
    return tensor.type != kind and tensor.whole


def check_shapes(model: Model, networks: Sequence[NetworkName]) -> None:
    """Raise SpecError, naming all, unless model and declarations have the same tensors of the same sizes.

    Shapes may differ where the sizes agree. `model`: that of the first network, or all of them joined.
    """
    several = networks if model.parts else networks[:1]
    wrong = []
    for what, shapes, names, tensors in (
        ("input", model.input_shapes, model.input_names, [t for n in several for t in n.inputs]),
        ("output", model.output_shapes, model.output_names, [t for n in several for t in n.outputs]),
    ):
        if len(shapes) != len(tensors):
            found = ", ".join(f"{n} {list(s)}" for n, s in zip(names, shapes, strict=True))
            asked = ", ".join(f"{t.name} {list(t.shape)}" for t in tensors)
            wrong.append(f"{len(tensors)} {what}(s) are declared ({asked}), the model has {found}")
            continue
        wrong += [
            f"the {what} {t.name} is declared {list(t.shape)}, the model's {name} is {list(shape)}"
            for t, shape, name in zip(tensors, shapes, names, strict=True)
            if t.size != int(np.prod(shape))
        ]
    for network in networks[1:] if not model.parts else ():
        sizes = [[t.size for t in n.tensors] for n in (network, networks[0])]
        if sizes[0] != sizes[1]:
            wrong.append(f"{network.name} shares the model of {networks[0].name}, but not its shapes")
    if wrong:
        raise SpecError("; ".join(wrong))


def tensor_bytes(values: NDArray[Any], kind: str, shape: Sequence[int]) -> bytes:
    """A serialised TensorProto of these numbers, which are of the element type `kind` ("float32")."""
    code = TensorProto.DataType.Value({"float32": "FLOAT", "float64": "DOUBLE"}.get(kind, kind.upper()))
    array = np.asarray(values).reshape(tuple(shape)).astype(helper.tensor_dtype_to_np_dtype(code))
    return bytes(numpy_helper.from_array(array).SerializeToString())


def element_types(model: Model) -> list[str]:
    """The element types of the model's inputs, then of its outputs, as ONNX calls them in lower case."""
    proto = ModelProto()
    proto.ParseFromString(model.proto)
    codes = [o.type.tensor_type.elem_type for o in proto.graph.output]
    known = {code: str(TYPES[code]) for code in (*elements.BYTES, elements.BOOL)}
    known |= {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16", TensorProto.BFLOAT16: "bfloat16"}
    return [str(t) for t in model.input_dtypes] + [known.get(c, "float64") for c in codes]


def _owner(networks: Sequence[NetworkName], network: NetworkName) -> str:
    """The network whose model this one shares."""
    by_name = {n.name: n for n in networks}
    for _ in networks:
        if not network.same_as:
            return network.name
        network = by_name[network.same_as]
    raise SpecError(f"{network.name} is declared equal to itself")


def _ends(model: Model, network: NetworkName) -> Iterator[tuple[str, Sequence[TensorName], Sequence[str]]]:
    yield "input", network.inputs, model.input_names
    yield "output", network.outputs, model.output_names


def _ordered(declared: Sequence[TensorName], present: Sequence[str], what: str, source: str) -> list[str]:
    """The names of the model's tensors in the order of the declarations."""
    if len(declared) != len(present):
        asked = ", ".join(t.name for t in declared)
        raise SpecError(f"{source}: every {what} is to be declared: {', '.join(present)}; found {asked}")
    chosen = [t.onnx_name or present[k] for k, t in enumerate(declared)]
    if sorted(chosen) != sorted(present):
        raise SpecError(
            f"{source}: every {what} is to be named once: {', '.join(present)}; found {', '.join(chosen)}"
        )
    return chosen


def _append(whole: ModelProto, part: ModelProto, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Add a model whose names are its own to another; initialisers are no inputs there."""
    whole.ir_version = max(whole.ir_version, part.ir_version)
    graph, more = whole.graph, part.graph
    by_name = {value.name: value for value in (*more.input, *more.output)}
    graph.input.extend(by_name[name] for name in inputs)
    graph.output.extend(by_name[name] for name in outputs)
    graph.node.extend(more.node)
    graph.initializer.extend(more.initializer)
    graph.value_info.extend(more.value_info)
    whole.functions.extend(part.functions)
