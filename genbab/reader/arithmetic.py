"""Arithmetic on tensors under construction, with numpy's broadcasting; constants stay constants."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from genbab.network import Adjoint, Compose, Diagonal, Identity, Index, LinearMap
from genbab.nonlinear import Product
from genbab.reader.builder import Builder
from genbab.reader.forms import Form, product, ratio, weighted_sum
from genbab.reader.functions import function
from genbab.reader.values import Array, Refused, Value, Var, count, uniform


def combine(b: Builder, parts: Sequence[tuple[Value, float]]) -> Value:
    """Σ factor · value."""
    shape = np.broadcast_shapes(*(v.shape for v, _ in parts))
    bias = np.zeros(shape)
    variables: list[tuple[Var, float]] = []
    for value, factor in parts:
        if isinstance(value, Var):
            variables.append((value, factor))
        else:
            bias = bias + factor * value.astype(np.float64)
    if not variables:
        return bias
    if not np.isfinite(bias).all():
        raise Refused("it adds a constant that is not a finite number")
    if (
        len(variables) == 1
        and variables[0][1] == 1.0
        and not bias.any()
        and variables[0][0].size == bias.size
    ):
        return variables[0][0].reshaped(shape)
    form = _sum_form(b, variables, bias)
    known = recognise(b, form, shape)
    if known is not None:
        return known
    total = b.affine(shape, [_term(b, v, f, shape) for v, f in variables], bias)
    if form is not None:
        b.forms[total.node] = form
    return total


def add(b: Builder, x: Value, y: Value) -> Value:
    """x + y."""
    return combine(b, [(x, 1.0), (y, 1.0)])


def subtract(b: Builder, x: Value, y: Value) -> Value:
    """x - y."""
    return combine(b, [(x, 1.0), (y, -1.0)])


def shift(b: Builder, x: Value, by: float) -> Value:
    """x + by."""
    return combine(b, [(x, 1.0), (np.array(by), 1.0)])


def scale(b: Builder, x: Value, by: Array | float) -> Value:
    """x · by, with a constant of any shape that broadcasts."""
    factor = np.asarray(by, dtype=np.float64)
    if not isinstance(x, Var):
        return x.astype(np.float64) * factor
    shape = np.broadcast_shapes(x.shape, factor.shape)
    if not factor.any():
        return np.zeros(shape)
    same = uniform(factor)
    if same is not None:
        return _scale_uniformly(b, x, same, shape)
    node, moved = b.spread(x, shape)
    weight = torch.from_numpy(np.array(np.broadcast_to(factor, shape), dtype=np.float64).reshape(-1))
    return b.affine(shape, [(node, _after(moved, Diagonal(weight)))])


def multiply(b: Builder, x: Value, y: Value) -> Value:
    """x · y: elementwise squares, powers, SiLU and GELU are recognised, the rest is a `Product`."""
    if not isinstance(x, Var):
        return scale(b, y, x)
    if not isinstance(y, Var):
        return scale(b, x, y)
    shape = np.broadcast_shapes(x.shape, y.shape)
    if x.size == y.size == count(shape):
        form = product(b.form(x.node), b.form(y.node))
        known = recognise(b, form, shape)
        if known is not None:
            return known
        made = _power_of_root(b, form, shape) or _product_of_nodes(b, x.reshaped(shape), y.reshaped(shape))
        if form is not None:
            b.forms[made.node] = form
        return made
    left, right = b.expand(x, shape), b.expand(y, shape)
    assert isinstance(left, Var) and isinstance(right, Var)
    return b.nonlinear(Product(), left, right)


def divide(b: Builder, x: Value, y: Value) -> Value:
    """x / y."""
    if not isinstance(y, Var):
        return scale(b, x, np.asarray(1.0 / y.astype(np.float64)))
    return multiply(b, x, apply(b, "reciprocal", y))


def apply(b: Builder, name: str, x: Value, *parameters: float) -> Value:
    """The library's function of this name, elementwise."""
    fn = function(name, *parameters)
    if not isinstance(x, Var):
        return np.asarray(fn.value(torch.from_numpy(x.astype(np.float64))).numpy())
    return b.nonlinear(fn, x)


def raised(b: Builder, x: Value, exponent: float) -> Value:
    """x ** exponent."""
    if not isinstance(x, Var):
        return np.asarray(np.power(x.astype(np.float64), exponent))
    if exponent == 0:
        return np.ones(x.shape)
    if exponent == 1:
        return x
    special = {0.5: "sqrt", -1.0: "reciprocal"}
    if exponent in special:
        return apply(b, special[exponent], x)
    if exponent == int(exponent) and exponent > 0:
        return _whole_power(b, x, int(exponent))
    return apply(b, "power", x, exponent)


def maximum(b: Builder, x: Value, y: Value) -> Value:
    """max(x, y) = y + relu(x - y)."""
    if not isinstance(x, Var) and not isinstance(y, Var):
        return np.asarray(np.maximum(x, y))
    x, y = (y, x) if isinstance(y, Var) and not isinstance(x, Var) else (x, y)
    if not isinstance(y, Var) and np.isneginf(y).all():
        return x
    _finite(y)
    return add(b, y, apply(b, "relu", subtract(b, x, y)))


def minimum(b: Builder, x: Value, y: Value) -> Value:
    """min(x, y) = y - relu(y - x)."""
    if not isinstance(x, Var) and not isinstance(y, Var):
        return np.asarray(np.minimum(x, y))
    x, y = (y, x) if isinstance(y, Var) and not isinstance(x, Var) else (x, y)
    if not isinstance(y, Var) and np.isposinf(y).all():
        return x
    _finite(y)
    return subtract(b, y, apply(b, "relu", subtract(b, y, x)))


def clip(b: Builder, x: Value, low: float, high: float) -> Value:
    """min(max(x, low), high), as ONNX has it: where low > high, high wins."""
    return minimum(b, maximum(b, x, np.array(low)), np.array(high))


def sum_groups(b: Builder, x: Var, groups: Array, shape: Sequence[int]) -> Var:
    """A tensor of this shape whose entry g is the sum of the entries i of x with groups.ravel()[i] == g."""
    index = torch.from_numpy(np.array(groups, dtype=np.int64).reshape(-1))
    return b.affine(shape, [(x.node, Adjoint(Index(index, count(shape))))])


def recognise(b: Builder, form: Form | None, shape: Sequence[int]) -> Var | None:
    """k · silu, k · gelu or k · gelu_tanh when the form is one, else None.

    With a the gate's argument: k·a·sigmoid(a) = k·silu(a); k·a·(1 + tanh a) = k·silu(2a) for linear a;
    k·a·(1 + erf a) = k·√2·gelu(√2·a); r·(1 + tanh(√(2/π)(u + 0.044715 u³))) = (2/α)·gelu_tanh(u), u = α·r.
    """
    if form is None or form.gate is None:
        return None
    gate = b.nodes[form.gate]
    name, (argument,) = gate.fn.name, gate.args  # type: ignore[union-attr]
    inner = b.form(argument).plain
    k = ratio(form.gated, inner)
    source = Var(argument, tuple(shape))
    if name == "sigmoid" and k is not None and not form.plain:
        return _scaled(b, "silu", source, 1.0, k)
    if ratio(form.plain, form.gated) != 1.0:
        return None
    if name == "erf" and k is not None:
        return _scaled(b, "gelu", source, math.sqrt(2.0), k * math.sqrt(2.0))
    if name == "tanh" and k is not None:
        return _scaled(b, "silu", source, 2.0, k)
    return _tanh_gelu(b, form, inner, shape) if name == "tanh" else None


def _tanh_gelu(b: Builder, form: Form, inner: dict[int, float], shape: Sequence[int]) -> Var | None:
    if set(inner) != {1, 3} or set(form.gated) != {1}:
        return None
    unit = math.sqrt(2.0 / math.pi)
    alpha = inner[1] / unit
    if abs(inner[3] - unit * 0.044715 * alpha**3) > 1.5e-7 * abs(inner[3]):
        return None
    return _scaled(b, "gelu_tanh", Var(form.root, tuple(shape)), alpha, 2.0 * form.gated[1] / alpha)


def _scaled(b: Builder, name: str, x: Var, inside: float, outside: float) -> Var:
    """outside · fn(inside · x), with the factors as they are: what a file's float32 makes of √2 stays what it
    is.
    """
    argument = _unscaled(b, x, inside) or _scale_uniformly(b, x, inside, x.shape)
    value = b.nonlinear(function(name), argument)
    return value if outside == 1.0 else _scale_uniformly(b, value, outside, x.shape)


def _unscaled(b: Builder, x: Var, factor: float) -> Var | None:
    """factor · x without a new node, when it is x itself or the root that x was scaled from."""
    if factor == 1.0:
        return x
    form = b.form(x.node)
    monomial = form.monomial
    if monomial is not None and monomial[0] == 1 and factor * monomial[1] == 1.0:
        return Var(form.root, x.shape)
    return None


def _scale_uniformly(b: Builder, x: Var, by: float, shape: Sequence[int]) -> Var:
    if by == 1.0:
        made = b.expand(x, shape)
        assert isinstance(made, Var)
        return made
    form = weighted_sum([(b.form(x.node), by)], 0.0) if x.size == count(shape) else None
    known = recognise(b, form, shape)
    if known is not None:
        return known
    made = b.affine(shape, [_term(b, x, by, shape)])
    if form is not None:
        b.forms[made.node] = form
    return made


def _term(b: Builder, x: Var, factor: float, shape: Sequence[int]) -> tuple[int, LinearMap]:
    node, moved = b.spread(x, shape)
    if factor == 1.0:
        return node, moved
    return node, _after(moved, Diagonal(torch.full((count(shape),), factor, dtype=torch.float64)))


def _after(first: LinearMap, then: LinearMap) -> LinearMap:
    return then if isinstance(first, Identity) else Compose((first, then))


def _sum_form(b: Builder, variables: list[tuple[Var, float]], bias: Array) -> Form | None:
    constant = uniform(bias)
    if constant is None or any(v.size != bias.size for v, _ in variables):
        return None
    return weighted_sum([(b.form(v.node), f) for v, f in variables], constant)


def _power_of_root(b: Builder, form: Form | None, shape: Sequence[int]) -> Var | None:
    """c · root^n in one nonlinear node, when the form is a monomial."""
    monomial = form.monomial if form is not None else None
    if form is None or monomial is None or monomial[0] < 2:
        return None
    power = b.nonlinear(function("power", monomial[0]), Var(form.root, tuple(shape)))
    return power if monomial[1] == 1.0 else _scale_uniformly(b, power, monomial[1], shape)


def _product_of_nodes(b: Builder, x: Var, y: Var) -> Var:
    if x.node == y.node:
        return b.nonlinear(function("power", 2), x)
    return b.nonlinear(Product(), x, y)


def _whole_power(b: Builder, x: Var, n: int) -> Var:
    monomial = b.form(x.node).monomial
    form = None
    if monomial is not None:
        form = Form(b.form(x.node).root, None, {(monomial[0] * n, 0): monomial[1] ** n})
    made = _power_of_root(b, form, x.shape) or b.nonlinear(function("power", n), x)
    if form is not None:
        b.forms[made.node] = form
    return made


def _finite(value: Value) -> None:
    if not isinstance(value, Var) and not np.isfinite(value).all():
        raise Refused("a limit that is not a finite number, for some of the entries only")
