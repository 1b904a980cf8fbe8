"""Operators of ai.onnx.ml mean what onnxruntime computes, their bounds hold; what has no rule is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper

import genbab
from genbab.attack.replay import Replayer
from genbab.check.failures import Unusable
from genbab.check.model.reading import read
from genbab.errors import ModelError, UnsupportedError
from genbab.network import evaluate
from genbab.reader import Model, load_onnx
from genbab.specs import parse_vnnlib

RNG = np.random.default_rng(0)
Array = np.ndarray[Any, Any]
EVERY = [f"BRANCH_{mode}" for mode in ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ")]
BOTH = ("label", "y")


def ml(kind: str, *outputs: str, reads: Sequence[str] = ("x",), **attributes: Any) -> NodeProto:
    names = list(outputs) or ["y"]
    return helper.make_node(kind, list(reads), names, f"node_{names[-1]}", domain="ai.onnx.ml", **attributes)


def model(
    nodes: Sequence[NodeProto],
    shape: Sequence[int] = (2, 3),
    outputs: Sequence[str] = ("y",),
    kind: int = TensorProto.FLOAT,
    opset: int = 3,
) -> ModelProto:
    ends = [helper.make_empty_tensor_value_info(name) for name in outputs]
    graph = helper.make_graph(list(nodes), "g", [helper.make_tensor_value_info("x", kind, shape)], ends)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def numbers(count: int) -> list[float]:
    return [float(v) for v in RNG.normal(size=count).astype(np.float32)]


def forest(kind: str, seed: int, count: int = 4, targets: int = 1, mode: str = EVERY[0]) -> dict[str, Any]:
    """Random complete trees of depth 2 over three features, with thresholds that are shared."""
    rng = np.random.default_rng(seed)
    tree, inner = np.repeat(np.arange(count), 7), np.tile(np.arange(7) < 3, count)
    modes = rng.choice(EVERY, len(tree)) if mode == "every" else np.full(len(tree), mode)
    leaves = np.repeat(np.flatnonzero(~inner), targets)
    return {
        "nodes_treeids": tree.tolist(),
        "nodes_nodeids": np.tile(np.arange(7), count).tolist(),
        "nodes_featureids": rng.integers(0, 3, len(tree)).tolist(),
        "nodes_values": rng.choice([-0.5, 0.25, 1.0], len(tree)).tolist(),
        "nodes_modes": np.where(inner, modes, "LEAF").tolist(),
        "nodes_truenodeids": np.tile([1, 3, 5, 0, 0, 0, 0], count).tolist(),
        "nodes_falsenodeids": np.tile([2, 4, 6, 0, 0, 0, 0], count).tolist(),
        f"{kind}_treeids": tree[leaves].tolist(),
        f"{kind}_nodeids": np.tile(np.arange(7), count)[leaves].tolist(),
        f"{kind}_ids": np.tile(np.arange(targets), len(leaves) // targets).tolist(),
        f"{kind}_weights": rng.normal(size=len(leaves)).astype(np.float32).tolist(),
    }


def trees(seed: int = 1, targets: int = 1, mode: str = EVERY[0], **changed: Any) -> NodeProto:
    made = forest("target", seed, targets=targets, mode=mode)
    return ml("TreeEnsembleRegressor", **{"n_targets": targets, **made, **changed})


def voters(labels: list[int], how: str, seed: int = 6, targets: int = 3) -> NodeProto:
    made = forest("class", seed, targets=targets)
    return ml("TreeEnsembleClassifier", *BOTH, post_transform=how, classlabels_int64s=labels, **made)


VECTORS: dict[str, Any] = {"support_vectors": numbers(15), "rho": [0.25], "kernel_params": [0.5, 0.25, 2.0]}
MACHINE: dict[str, Any] = {"n_supports": 5, "coefficients": numbers(5), **VECTORS}
ROW: dict[str, Any] = {"coefficients": numbers(3), "intercepts": [0.5], "classlabels_ints": [3, 8]}
SCORES: dict[str, Any] = {"coefficients": numbers(9), "intercepts": numbers(3)}
ROWS: dict[str, Any] = {**SCORES, "classlabels_ints": [3, 8, 5]}
PAIR: dict[str, Any] = {**VECTORS, "vectors_per_class": [2, 3], "coefficients": numbers(5)}
PAIRS: dict[str, Any] = {
    **{**VECTORS, "vectors_per_class": [2, 1, 2], "coefficients": numbers(10), "rho": numbers(3)},
    "classlabels_ints": [3, 8, 5],
}
OPPOSITE: dict[str, Any] = {"coefficients": [1.0, -2.0, 0.5, -1.0, 2.0, -0.5], "intercepts": [0.25, -0.25]}
NAN = float("nan")
KERNELS = ("LINEAR", "POLY", "RBF", "SIGMOID")

TENSORS: dict[str, NodeProto] = {
    "scaler": ml("Scaler", offset=numbers(3), scale=numbers(3)),
    "one scale": ml("Scaler", offset=[0.5], scale=[3.0]),
    "sum": ml("Normalizer", norm="L1"),
    "length": ml("Normalizer", norm="L2"),
    "binarizer": ml("Binarizer", threshold=0.25),
    "imputer": ml("Imputer", imputed_value_floats=[1.0], replaced_value_float=NAN),
    "imputer of a number": ml("Imputer", imputed_value_floats=numbers(3), replaced_value_float=1.0),
    "features": ml("FeatureVectorizer", reads=("x", "x"), inputdimensions=[3, 3]),
    "linear": ml("LinearRegressor", coefficients=numbers(6), intercepts=numbers(2), targets=2),
    "no intercepts": ml("LinearRegressor", coefficients=numbers(3)),
    **{f"kernel {kind}": ml("SVMRegressor", kernel_type=kind, **MACHINE) for kind in KERNELS},
    "one class": ml("SVMRegressor", kernel_type="RBF", one_class=1, **MACHINE),
    "linear machine": ml(
        "SVMRegressor", kernel_type="LINEAR", coefficients=numbers(3), rho=[0.5], kernel_params=[0.0] * 3
    ),
    "base": trees(base_values=[0.125]),
    "targets": trees(2, 3),
    "average": trees(3, aggregate_function="AVERAGE"),
    **{mode: trees(4, mode=mode) for mode in (*EVERY, "every")},
}
LABELLED: dict[str, NodeProto] = {
    **{
        f"row {how}": ml("LinearClassifier", *BOTH, post_transform=how, **ROW) for how in ("NONE", "LOGISTIC")
    },
    **{
        f"rows {how}": ml("LinearClassifier", *BOTH, post_transform=how, **ROWS)
        for how in ("NONE", "LOGISTIC", "SOFTMAX")
    },
    "opposite": ml("LinearClassifier", *BOTH, post_transform="LOGISTIC", classlabels_ints=[4, 2], **OPPOSITE),
    **{f"pairs {kind}": ml("SVMClassifier", *BOTH, kernel_type=kind, **PAIRS) for kind in KERNELS[:3]},
    "pair": ml("SVMClassifier", *BOTH, kernel_type="RBF", classlabels_ints=[3, 8], **PAIR),
    **{f"forest {how}": voters([3, 8, 5], how) for how in ("NONE", "LOGISTIC", "SOFTMAX")},
    **{f"two classes {how}": voters([3, 8], how, 7, 1) for how in ("NONE", "LOGISTIC")},
}


def points(loaded: Model, count: int = 60) -> Array:
    """Random inputs, half of whose entries are thresholds of trees, and numbers next to them."""
    rng, size = np.random.default_rng(9), loaded.network.input_size
    edges = np.array([-0.5, 0.25, 1.0], np.float32)
    edges = np.concatenate([edges, np.nextafter(edges, np.float32(9)), np.nextafter(edges, np.float32(-9))])
    found = np.where(rng.random((count, size)) < 0.5, rng.choice(edges, (count, size)), rng.normal(size=size))
    return np.asarray(found.astype(np.float32), np.float64)


def agrees(loaded: Model) -> None:
    """At points, and in boxes around them, with what onnxruntime gives."""
    assert loaded.notes == (), "the self-check compared nothing"
    replay, x = Replayer(loaded), points(loaded)
    theirs = np.stack([replay.replay(one) for one in x])
    ours = evaluate(loaded.network, torch.from_numpy(x)).numpy()
    assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    room = 1e-4 * (1 + np.abs(theirs))
    for radius, method in ((0.0, "interval"), (0.3, "interval"), (0.3, "crown")):
        low, high = genbab.output_bounds(loaded, x - radius, x + radius, method)
        assert (low.numpy() <= theirs + room).all() and (theirs <= high.numpy() + room).all()


@pytest.mark.parametrize("name", list(TENSORS))
def test_one_tensor(name: str) -> None:
    agrees(load_onnx(model([TENSORS[name]])))


@pytest.mark.parametrize("name", list(LABELLED))
def test_labels_and_scores(name: str) -> None:
    agrees(load_onnx(model([LABELLED[name]], outputs=BOTH)))


def test_ensembles_as_they_are_written_from_opset_5_on() -> None:
    """x_0 <= 1/2 ? (x_1 > -1/4 ? 1 : 2) : (x_2 >= 3/4 ? -1 : 5), and a tree that asks x_1 == 1/4."""
    tensors = {
        "nodes_splits": helper.make_tensor("s", TensorProto.FLOAT, [4], [0.5, -0.25, 0.75, 0.25]),
        "nodes_modes": helper.make_tensor("m", TensorProto.UINT8, [4], [0, 3, 2, 4]),
        "leaf_weights": helper.make_tensor("w", TensorProto.FLOAT, [6], [1, 2, -1, 5, 0.5, -0.5]),
    }
    lists: dict[str, Any] = {
        "nodes_featureids": [0, 1, 2, 1],
        "nodes_truenodeids": [1, 0, 2, 4],
        "nodes_falsenodeids": [2, 1, 3, 5],
        "nodes_trueleafs": [0, 1, 1, 1],
        "nodes_falseleafs": [0, 1, 1, 1],
        "leaf_targetids": [0] * 6,
        "tree_roots": [0, 3],
    }
    node = ml("TreeEnsemble", n_targets=1, aggregate_function=1, **tensors, **lists)
    loaded = load_onnx(model([node], (1, 3), opset=5))
    agrees(loaded)
    x = torch.tensor([[0.5, -0.25, 9.0], [0.5, 0.25, 9.0], [0.75, 0.0, 0.75], [0.75, 0.0, 0.5]])
    assert evaluate(loaded.network, x.double()).ravel().tolist() == [1.5, 1.5, -1.5, 4.5]


def test_probabilities_that_are_normalised_again_add_up_to_1() -> None:
    """As scikit-learn's logistic regression is exported: nothing is lost by the second division."""
    scores = ml("LinearClassifier", "label", "p", post_transform="SOFTMAX", **ROWS)
    loaded = load_onnx(model([scores, ml("Normalizer", reads=("p",), norm="L1")], outputs=("y",)))
    agrees(loaded)
    assert set(loaded.functions) == {"softmax"}


def test_labels_that_an_argmax_looks_up() -> None:
    """As scikit-learn's multi-layer perceptron is exported; with a table behind it."""
    nodes = [
        helper.make_node("Constant", [], ["classes"], value_ints=[7, 3, 5]),
        helper.make_node("ArgMax", ["x"], ["k"], axis=1, keepdims=1),
        ml("ArrayFeatureExtractor", "l", reads=("classes", "k")),
        ml("LabelEncoder", reads=("l",), keys_int64s=[3, 7], values_int64s=[30, 70], default_int64=-5),
    ]
    loaded = load_onnx(model(nodes, (1, 3)))
    agrees(loaded)
    for x, label in (([2.0, 1.0, 1.0], 70), ([0.0, 1.0, 1.0], 30), ([0.0, 1.0, 2.0], -5)):
        assert evaluate(loaded.network, torch.tensor(x, dtype=torch.float64)).tolist() == [label]


def test_dictionaries_are_read_as_the_tensor_behind_them() -> None:
    scores = ml("LinearClassifier", "label", "p", post_transform="SOFTMAX", **ROWS)
    plain = load_onnx(model([scores], (1, 3), ("label", "p")))
    named = ml("ZipMap", reads=("p",), classlabels_int64s=[3, 8, 5])
    loaded = load_onnx(model([scores, named], (1, 3), ("label", "y")))
    assert loaded.output_names == ("label", "y") and "dictionaries that ZipMap makes" in loaded.notes[0]
    x = points(plain)
    assert torch.equal(*(evaluate(m.network, torch.from_numpy(x)) for m in (plain, loaded)))
    assert np.allclose(Replayer(loaded).replay(x[0]), Replayer(plain).replay(x[0]))


def test_text_is_refused_and_the_scores_are_read() -> None:
    proto = model(
        [ml("LinearClassifier", *BOTH, classlabels_strings=["a", "b", "c"], **SCORES)], outputs=BOTH
    )
    with pytest.raises(UnsupportedError, match=r"labels that are text(.|\n)*without them: output y \(--out"):
        load_onnx(proto)
    agrees(genbab.load(proto.SerializeToString(), outputs="y"))


def test_classes_that_leaves_give_no_weight() -> None:
    """onnxruntime leaves them out where it looks for the label, so that only the scores are read."""
    some = forest("class", 6, targets=3)
    kept = [k for k in range(len(some["class_ids"])) if k % 4]
    some |= {k: [v[i] for i in kept] for k, v in some.items() if k.startswith("class_")}
    node = ml("TreeEnsembleClassifier", *BOTH, classlabels_int64s=[3, 8, 5], **some)
    proto = model([node], outputs=BOTH)
    with pytest.raises(UnsupportedError, match=r"take no part(.|\n)*without them: output y"):
        load_onnx(proto)
    agrees(genbab.load(proto.SerializeToString(), outputs="y"))


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (ml("CastMap"), r"CastMap\): a dictionary"),
        (ml("OneHotEncoder", cats_int64s=[1, 2]), "categories"),
        (ml("Unheard"), "no rule for this operator of 'ai.onnx.ml'"),
        (ml("LabelEncoder", keys_strings=["a"], values_floats=[1.0]), "text as keys"),
        (ml("LinearRegressor", coefficients=numbers(3), post_transform="PROBIT"), "post_transform PROBIT"),
        (ml("LinearRegressor", coefficients=numbers(4)), "4 coefficients"),
        (ml("Scaler", offset=[1.0, 2.0], scale=[1.0]), "2 numbers of offset for 3 features"),
        (trees(aggregate_function="MAX"), "aggregate_function MAX"),
        (trees(mode="BRANCH_MEMBER"), "mode BRANCH_MEMBER"),
        (trees(nodes_truenodeids=[0] * 28), "reached twice"),
        (trees(nodes_featureids=[7] * 28), "outside of 0 to 2"),
        (trees(nodes_values=[1.0] * 27), "different lengths"),
        (trees(nodes_values=[NAN] * 28), "not finite"),
        (trees(target_nodeids=[0, 4, 5, 6] * 4), "a leaf without weights, or weights of a node that is none"),
        (voters([3], "NONE", targets=1), "one class"),
        (voters([3, 8, 5], "SOFTMAX", targets=2), "SOFTMAX of classes that leaves give no weight"),
        (ml("SVMClassifier", *BOTH, prob_a=[1.0] * 3, prob_b=[0.0] * 3, **PAIRS), "iteration"),
        (ml("SVMRegressor", kernel_type="WAVE", **MACHINE), "kernel WAVE"),
    ],
)
def test_what_has_no_rule_is_named(node: NodeProto, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        load_onnx(model([node]), check=False)
    assert "node_y" in str(caught.value)


def box(low: Sequence[float], high: Sequence[float], limit: float) -> str:
    """Y_0 < limit on a box."""
    ends = list(zip(low, high, strict=True))
    lines = [
        f"(declare-const X_{i} Real)(assert (>= X_{i} {a}))(assert (<= X_{i} {b}))"
        for i, (a, b) in enumerate(ends)
    ]
    return "\n".join([*lines, f"(declare-const Y_0 Real)(assert (>= Y_0 {limit!r}))"])


def test_types_and_arithmetic_without_a_rule() -> None:
    with pytest.raises(UnsupportedError, match="float64 inputs, which it rounds"):
        load_onnx(model([TENSORS["scaler"]], kind=TensorProto.DOUBLE))
    data = model([TENSORS["no intercepts"]], (1, 3)).SerializeToString()
    spec = parse_vnnlib(box([0.0] * 3, [1.0] * 3, 9.0))
    with pytest.raises(UnsupportedError, match="what it rounds is not known"):
        genbab.verify(data, spec, genbab.Config(arithmetic="float32"))
    with pytest.raises(Unusable, match="LinearRegressor"):
        read(data)


def test_an_ensemble_is_verified_and_falsified() -> None:
    """Fifty trees: the maximum over a box is known from all cells of its thresholds."""
    known = forest("target", 11, 50)
    known["nodes_values"] = np.random.default_rng(5).normal(size=350).astype(np.float32).tolist()
    loaded = load_onnx(model([ml("TreeEnsembleRegressor", n_targets=1, **known)], (1, 3)))
    low, high, edges = [-0.1, 0.2, 0.0], [0.0, 0.3, 0.1], np.array(known["nodes_values"])
    axes = [np.array([a, b, *edges[(edges > a) & (edges < b)]]) for a, b in zip(low, high, strict=True)]
    axes = [np.concatenate([axis, np.minimum(axis + 1e-9, axis[1])]) for axis in axes]
    grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 3)
    most = float(evaluate(loaded.network, torch.from_numpy(grid)).max())
    for limit, verdict in ((most + 0.2, "verified"), (most - 0.01, "falsified")):
        spec = parse_vnnlib(box(low, high, limit))
        assert genbab.verify(loaded, spec, genbab.Config(timeout=60)).verdict == verdict


def test_operator_sets_that_are_not_used_need_not_be_stated() -> None:
    """onnxruntime runs such models; where an operator is of ONNX's own set, it must be stated."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in ("x", "y")]
    own = helper.make_node("Binarizer", ["x"], ["y"], domain="ai.onnx.ml", threshold=0.25)
    opsets = [helper.make_opsetid("ai.onnx.ml", 3)]
    made = helper.make_model(
        helper.make_graph([own], "g", ends[:1], ends[1:]), opset_imports=opsets, ir_version=8
    )
    found = load_onnx(made).network
    assert evaluate(found, torch.tensor([[0.0, 0.25, 0.5]], dtype=torch.float64)).tolist() == [
        [0.0, 0.0, 1.0]
    ]
    other = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
    with pytest.raises(ModelError, match="opset 0"):
        load_onnx(helper.make_model(other, opset_imports=opsets, ir_version=8))
