"""Models with something wrong: damaged bytes, and damage that only a reader of ONNX notices."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, defs, helper

from tests.fuzz.bodies import claims, seeds

Random = random.Random
Change = Callable[[ModelProto, Random], None]
NUMBERS = (-1, 0, 1, 2, 3, 7, -2, 255, 1 << 20, 1 << 31, 1 << 40, (1 << 63) - 1, -(1 << 63))
FLOATS = (float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1e38, -1e38, 1e-45, 3.4e38, 0.1)
OPERATORS = sorted({schema.name for schema in defs.get_all_schemas()})
PLACES = (
    "/etc/passwd",
    "../secret.bin",
    "..",
    ".",
    "",
    "a/../../b",
    "link.bin",
    "missing.bin",
    "w.bin",
    "w\0.bin",
)


def damaged_bytes(data: bytes, random: Random) -> bytes:
    """Bytes flipped, cut, repeated, moved, replaced, or joined with those of another model."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        if not changed:
            break
        at, to = sorted(random.randrange(len(changed) + 1) for _ in range(2))
        kind = random.randrange(7)
        if kind == 0:
            changed[min(at, len(changed) - 1)] ^= 1 << random.randrange(8)
        elif kind == 1:
            del changed[at:]
        elif kind == 2:
            changed[at:at] = changed[at:to][:4096]
        elif kind == 3:
            changed[at : at + 4] = random.randbytes(4)
        elif kind == 4:
            other = random.choice(seeds())
            changed[at:to] = other[at:to]
        elif kind == 5:
            changed[at : at + 1] = random.choice(
                (b"\xff" * 9 + b"\x01", b"\x80" * 10, b"\x00", b"\xff\xff\xff\xff\x07")
            )
        else:
            del changed[at : at + random.randrange(1, 9)]
    return bytes(changed)


def hostile_model(random: Random) -> bytes:
    """A model that is wrong in some way, or claims too much; sometimes a sound one after all."""
    data = random.choice(seeds()[:7]) if random.random() < 0.35 else random.choice(seeds())
    kind = random.random()
    if kind < 0.35:
        data = damaged_bytes(data, random)
    elif kind < 0.985:
        data = changed_model(data, random).SerializePartialToString()
    else:
        data = random.choice(list(claims().values())).SerializePartialToString()
    if random.random() < 0.05:
        packed = gzip.compress(data, 1, mtime=0)
        data = damaged_bytes(packed, random) if random.random() < 0.5 else packed
    return data


def changed_model(data: bytes, random: Random) -> ModelProto:
    """The model after one to three changes to its parts."""
    proto = ModelProto()
    proto.ParseFromString(data)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        random.choice(CHANGES)(proto, random)
    return proto


def other_numbers(data: bytes, random: Random) -> bytes:
    """The model with some of its weights and attributes changed: often one that means something else."""
    proto = ModelProto()
    proto.ParseFromString(data)
    for _ in range(random.choice((1, 2, 4))):
        tensors = [t for t in proto.graph.initializer if len(t.raw_data) >= 4]
        if tensors and random.random() < 0.8:
            tensor = random.choice(tensors)
            raw = bytearray(tensor.raw_data)
            raw[random.randrange(len(raw))] ^= 1 << random.randrange(8)
            tensor.raw_data = bytes(raw)
        else:
            _attribute(proto, random)
    return bytes(proto.SerializePartialToString())


def _node(proto: ModelProto, random: Random) -> NodeProto:
    """A node, also of a subgraph; a new one where there is none."""
    graph: GraphProto = proto.graph
    if not graph.node:
        graph.node.append(helper.make_node("Relu", ["x"], ["y"]))
    node: NodeProto = random.choice(graph.node)
    inner = [a.g for a in node.attribute if a.type == AttributeProto.GRAPH and a.g.node]
    if inner and random.random() < 0.6:
        node = random.choice(random.choice(inner).node)
    return node


def _names(proto: ModelProto) -> list[str]:
    graph = proto.graph
    found = [name for node in graph.node for name in (*node.input, *node.output)]
    found += [one.name for one in (*graph.input, *graph.output, *graph.initializer)]
    return [*found, "", "nowhere", "x" * 5000, "a\nb", "ü☃", "\x00", "%s{}"]


def _rename(proto: ModelProto, random: Random) -> None:
    node = _node(proto, random)
    side = node.input if random.random() < 0.6 and node.input else node.output
    if side:
        side[random.randrange(len(side))] = random.choice(_names(proto))


def _cycle(proto: ModelProto, random: Random) -> None:
    node = _node(proto, random)
    if node.input and node.output:
        node.input[random.randrange(len(node.input))] = random.choice(list(node.output))


def _inputs(proto: ModelProto, random: Random) -> None:
    node = _node(proto, random)
    if random.random() < 0.5 and node.input:
        del node.input[random.randrange(len(node.input))]
    else:
        node.input.extend([random.choice(_names(proto))] * random.choice((1, 1, 2, 50)))


def _outputs(proto: ModelProto, random: Random) -> None:
    node = _node(proto, random)
    if random.random() < 0.5 and node.output:
        del node.output[random.randrange(len(node.output))]
    else:
        node.output.append(random.choice(_names(proto)))


def _operator(proto: ModelProto, random: Random) -> None:
    _node(proto, random).op_type = random.choice([*OPERATORS, "", "Nonsense", "relu"])


def _domain(proto: ModelProto, random: Random) -> None:
    _node(proto, random).domain = random.choice(("ai.onnx.ml", "com.microsoft", "x", "ai.onnx"))


def _move(proto: ModelProto, random: Random) -> None:
    nodes = list(proto.graph.node)
    kind = random.randrange(3)
    if nodes and kind == 0:
        nodes.pop(random.randrange(len(nodes)))
    elif nodes and kind == 1:
        nodes.insert(random.randrange(len(nodes)), random.choice(nodes))
    else:
        random.shuffle(nodes)
    copies = [node.SerializePartialToString() for node in nodes]
    del proto.graph.node[:]
    for copy in copies:
        proto.graph.node.add().ParseFromString(copy)


def _attribute(proto: ModelProto, random: Random) -> None:
    node = _node(proto, random)
    kind = random.randrange(6)
    if not node.attribute or kind == 0:
        names = sorted({n for s in defs.get_all_schemas() if s.name == node.op_type for n in s.attributes})
        name = random.choice([*names, "nonsense"])
        value = random.choice(("text", [1, 2], [-1], random.choice(NUMBERS), random.choice(FLOATS), [0.5]))
        node.attribute.append(helper.make_attribute(name, value))
        return
    one = random.choice(node.attribute)
    if kind == 1:
        node.attribute.remove(one)
    elif kind == 2:
        one.type = random.randrange(15)
    elif one.type == AttributeProto.TENSOR:
        _tensor(one.t, random)
    elif one.type == AttributeProto.INTS and kind < 5 and one.ints:
        one.ints[random.randrange(len(one.ints))] = random.choice(NUMBERS)
    elif one.type == AttributeProto.INTS:
        one.ints.extend([random.choice(NUMBERS)] * random.choice((1, 3)))
    elif one.type == AttributeProto.STRING:
        one.s = random.choice((b"", b"\xff\xfe", b"VALID", b"SAME_UPPER", b"nonsense", b"linear", b"cubic"))
    elif one.type == AttributeProto.FLOAT:
        one.f = random.choice(FLOATS)
    elif one.type == AttributeProto.GRAPH:
        del one.g.output[:], one.g.input[:1]
    else:
        one.i = random.choice(NUMBERS)


def _initialiser(proto: ModelProto, random: Random) -> None:
    if not proto.graph.initializer:
        proto.graph.initializer.append(helper.make_tensor("x", TensorProto.FLOAT, [1], [0.0]))
    _tensor(random.choice(proto.graph.initializer), random)


def _tensor(tensor: TensorProto, random: Random) -> None:
    kind = random.randrange(9)
    if kind == 0 and tensor.dims:
        tensor.dims[random.randrange(len(tensor.dims))] = random.choice(NUMBERS)
    elif kind == 1:
        del tensor.dims[:]
        tensor.dims.extend(random.choice(NUMBERS) for _ in range(random.choice((0, 1, 2, 3, 70))))
    elif kind == 2:
        tensor.data_type = random.randrange(30)
    elif kind == 3:
        tensor.raw_data = tensor.raw_data[: random.randrange(len(tensor.raw_data) + 1)]
    elif kind == 4 and len(tensor.raw_data) >= 4:
        at = 4 * random.randrange(len(tensor.raw_data) // 4)
        value = helper.make_tensor("v", TensorProto.FLOAT, [1], [random.choice(FLOATS)], raw=False)
        number = b"".join(_raw(v) for v in value.float_data)
        tensor.raw_data = tensor.raw_data[:at] + number + tensor.raw_data[at + 4 :]
    elif kind == 5:
        tensor.float_data.extend([random.choice(FLOATS)] * random.choice((1, 3)))
    elif kind == 6:
        tensor.string_data.append(b"\x80abc")
    elif kind == 7:
        tensor.raw_data = random.randbytes(len(tensor.raw_data))
    else:
        _outside(tensor, random)


def _raw(value: float) -> bytes:
    import struct

    return struct.pack("<f", value)


def _outside(tensor: TensorProto, random: Random) -> None:
    """The tensor's data lie in a file, wherever that may be."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    facts = {"location": random.choice(PLACES)}
    for name in ("offset", "length"):
        if random.random() < 0.5:
            facts[name] = random.choice(("0", "4", "-1", "x", str(1 << 33), str(1 << 64), "1e3", ""))
    for name, value in facts.items():
        tensor.external_data.add(key=name, value=value)


def _ends(proto: ModelProto, random: Random) -> None:
    """Something about the graph's inputs and outputs."""
    graph = proto.graph
    values = [*graph.input, *graph.output]
    kind = random.randrange(7)
    if not values or kind == 0:
        del (graph.input if random.random() < 0.5 else graph.output)[:1]
        return
    value = random.choice(values)
    axes = value.type.tensor_type.shape.dim
    if kind == 1:
        value.name = random.choice(_names(proto))
    elif kind == 2:
        value.type.tensor_type.elem_type = random.randrange(30)
    elif kind == 3:
        value.type.sequence_type.elem_type.tensor_type.elem_type = 1
    elif kind == 4:
        axes.add().dim_value = random.choice(NUMBERS)
    elif axes and kind == 5:
        random.choice(axes).dim_value = random.choice(NUMBERS)
    elif axes:
        random.choice(axes).dim_param = random.choice(("N", "batch", ""))


def _head(proto: ModelProto, random: Random) -> None:
    """Versions, functions, sparse tensors."""
    kind = random.randrange(5)
    if kind == 0:
        proto.opset_import.add(domain=random.choice(("", "x")), version=random.choice((*NUMBERS, 7, 13, 22)))
    elif kind == 1:
        del proto.opset_import[:]
    elif kind == 2:
        proto.ir_version = random.choice(NUMBERS)
    elif kind == 3:
        own = helper.make_function(
            "own", "F", ["a"], ["b"], [helper.make_node("F", ["a"], ["b"], domain="own")], proto.opset_import
        )
        proto.functions.append(own)
        proto.opset_import.add(domain="own", version=1)
        node = _node(proto, random)
        node.op_type, node.domain = "F", "own"
    else:
        proto.graph.sparse_initializer.add().dims.extend([1 << 40])


CHANGES: tuple[Change, ...] = (
    *(_rename, _cycle, _inputs, _outputs, _operator, _operator, _domain, _move),
    *(_attribute, _attribute, _attribute, _initialiser, _initialiser, _initialiser, _ends, _ends, _head),
)
