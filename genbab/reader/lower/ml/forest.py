"""Ensembles of decision trees, read from both ways in which they are written: leaves with their paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto, numpy_helper

from genbab.reader.tensors.values import Array, Op, Refused

MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
"""Comparisons of a feature with a number, numbered as in `TreeEnsemble` from opset 5 on."""

MOST_LEAVES = 100_000
"""So many leaves an ensemble may have."""

MOST_TESTS = 5_000_000
"""So many tests there may be on the ways to all nodes together."""

PLAIN = {
    "BRANCH_LEQ": ("LEQ", True),
    "BRANCH_GT": ("LEQ", False),
    "BRANCH_GTE": ("GEQ", True),
    "BRANCH_LT": ("GEQ", False),
    "BRANCH_EQ": ("EQ", True),
    "BRANCH_NEQ": ("EQ", False),
}
"""Each of them as one of three comparisons, and the outcome of that for which it is true."""

Test = tuple[int, str, float]
"""A feature, how it is compared (LEQ, GEQ, EQ), and with which number."""


@dataclass(frozen=True)
class Leaf:
    """What leads to a leaf, each test with its outcome; and the weights it gives, by target."""

    tests: tuple[tuple[Test, bool], ...]
    weights: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class TreeNode:
    """A test with its two children, by number, or a leaf with its weights."""

    test: Test | None
    children: tuple[int, int]
    weights: tuple[tuple[int, float], ...] = ()


def leaves(nodes: Sequence[TreeNode], roots: Sequence[int]) -> list[list[Leaf]]:
    """The leaves of each tree; tests that the way to a leaf has decided before are not asked again.

    Raises `Refused` for too many leaves or tests, and `ValueError` for nodes that are reached twice.
    """
    seen: set[int] = set()
    asked = 0
    found: list[list[Leaf]] = []
    for root in roots:
        mine: list[Leaf] = []
        waiting: list[tuple[int, dict[Test, bool]]] = [(root, {})]
        while waiting:
            number, known = waiting.pop()
            if number in seen or not 0 <= number < len(nodes):
                raise ValueError(f"node {number} of a tree is reached twice, or is not there")
            seen.add(number)
            asked += len(known)
            if len(seen) > 2 * MOST_LEAVES or asked > MOST_TESTS:
                raise Refused(
                    f"more than {MOST_LEAVES:,} leaves, or {MOST_TESTS:,} tests on the ways to them"
                )
            node = nodes[number]
            if node.test is None:
                mine.append(Leaf(tuple(known.items()), node.weights))
                continue
            for child, outcome in zip(node.children, (True, False), strict=True):
                if known.get(node.test, outcome) == outcome:
                    waiting.append((child, {**known, node.test: outcome}))
        found.append(mine)
    return found


def numbers(op: Op, name: str) -> Array:
    """An attribute of numbers, given as floats or as a tensor."""
    tensor = op.attributes.get(f"{name}_as_tensor", op.attributes.get(name))
    found = numpy_helper.to_array(tensor) if isinstance(tensor, TensorProto) else np.asarray(tensor or ())
    if found.size and not np.isfinite(found.astype(np.float64)).all():
        raise Refused(f"{name} that are not finite")
    return found.reshape(-1).astype(np.float64)


def old_style(op: Op, kind: str) -> tuple[list[TreeNode], list[int]]:
    """(nodes, roots) of `TreeEnsembleRegressor` (kind "target") or `TreeEnsembleClassifier` ("class").

    A tree's root is the first of its nodes, as onnxruntime has it.
    """
    trees, ids, features, yes, no = (
        op.integers(f"nodes_{name}") or []
        for name in ("treeids", "nodeids", "featureids", "truenodeids", "falsenodeids")
    )
    modes = [m.decode() if isinstance(m, bytes) else str(m) for m in op.attributes.get("nodes_modes", ())]
    values = numbers(op, "nodes_values")
    if len({len(part) for part in (trees, ids, features, yes, no, modes, values)}) != 1:
        raise ValueError("its lists about nodes have different lengths")
    place = {(t, i): k for k, (t, i) in enumerate(zip(trees, ids, strict=True))}
    if len(place) < len(ids):
        raise ValueError("two nodes of a tree have one number")
    weights: list[list[tuple[int, float]]] = [[] for _ in ids]
    where = (op.integers(f"{kind}_{name}") or [] for name in ("treeids", "nodeids", "ids"))
    for tree, node, target, weight in zip(*where, numbers(op, f"{kind}_weights"), strict=True):
        weights[place[tree, node]].append((target, float(weight)))
    if any((mode == "LEAF") != bool(weights[k]) for k, mode in enumerate(modes)):
        raise Refused("a leaf without weights, or weights of a node that is none")
    nodes = []
    for k, mode in enumerate(modes):
        if mode == "LEAF":
            nodes.append(TreeNode(None, (0, 0), tuple(weights[k])))
            continue
        children = place[trees[k], yes[k]], place[trees[k], no[k]]
        nodes.append(_tested(features[k], mode, float(values[k]), children))
    first = dict.fromkeys(trees)
    return nodes, [trees.index(tree) for tree in first]


def new_style(op: Op) -> tuple[list[TreeNode], list[int]]:
    """(nodes, roots) of `TreeEnsemble`, whose leaves have lists of their own: one target and weight each.

    A node may be reached twice there, which is refused.
    """
    features, yes, no, yes_leaf, no_leaf, targets, roots = (
        op.integers(name) or []
        for name in (
            "nodes_featureids",
            "nodes_truenodeids",
            "nodes_falsenodeids",
            "nodes_trueleafs",
            "nodes_falseleafs",
            "leaf_targetids",
            "tree_roots",
        )
    )
    splits, weights, modes = (
        numbers(op, n).tolist() for n in ("nodes_splits", "leaf_weights", "nodes_modes")
    )
    count = len(features)
    nodes = []
    for k in range(count):
        if not 0 <= int(modes[k]) < len(MODES):
            raise Refused("tests of membership in a set")
        children = [
            count + child if leaf else child for child, leaf in ((yes[k], yes_leaf[k]), (no[k], no_leaf[k]))
        ]
        nodes.append(_tested(features[k], MODES[int(modes[k])], splits[k], (children[0], children[1])))
    nodes += [TreeNode(None, (0, 0), ((t, float(w)),)) for t, w in zip(targets, weights, strict=True)]
    return nodes, roots


def _tested(feature: int, mode: str, value: float, children: tuple[int, int]) -> TreeNode:
    """A node whose first child is where the test is true."""
    if mode not in PLAIN:
        raise Refused(f"mode {mode}: {', '.join(MODES)} are accepted")
    how, outcome = PLAIN[mode]
    return TreeNode((feature, how, value), children if outcome else children[::-1])
