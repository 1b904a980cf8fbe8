"""Drawings show the truth: the curve is the function, the lines bound it, and a pole is said to be one."""

from __future__ import annotations

import builtins
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import genbab
from genbab.errors import UsageError
from genbab.nonlinear import functions, make
from genbab.nonlinear.composed.formula import function
from genbab.nonlinear.expressions.expression import X, apply, combine
from genbab.nonlinear.lines.picture import places, relaxation, touches
from genbab.plot.figure import INK, LOWER, UPPER
from genbab.plot.relaxation import plot_relaxation

CASES = [
    ("sigmoid", -4.0, 4.0),
    ("gelu", -3.0, 2.0),
    ("sin", -20.0, 25.0),
    ("step", -1.0, 2.0),
    ("floor", -3.5, 4.0),
    ("relu", -1.0, 2.0),
    ("elu(0.5)", -3.0, -1.0),
    ("power(3)", -2.0, 1.0),
    ("reciprocal", 0.5, 2.0),
    ("tan", -1.0, 1.0),
    ("x + sin(x)**2", -4.0, 4.0),
    ("max(x, 0)**2 - abs(x)", -2.0, 2.0),
    ("tanh", 0.3, 0.3),
]


@pytest.fixture
def ax() -> Axes:
    return Figure().add_subplot()


def drawn(ax: Axes, colour: str, style: str = "-") -> list[Line2D]:
    """The lines of this colour and style, markers not counted."""
    return [one for one in ax.get_lines() if one.get_color() == colour and one.get_linestyle() == style]


def height(one: Line2D, x: np.ndarray) -> Any:
    """A drawn straight line at x."""
    (l, u), (a, b) = (np.asarray(part, dtype=float) for part in one.get_data())  # noqa: E741
    return a + (b - a) * ((x - l) / (u - l) if u > l else 0.0 * x)


def sampled(text: str, l: float, u: float) -> tuple[np.ndarray, np.ndarray]:  # noqa: E741
    x = torch.linspace(l, u, 2001, dtype=torch.float64)
    return x.numpy(), function(text).value(x).numpy()


@pytest.mark.parametrize(("text", "l", "u"), CASES)
def test_every_drawn_line_bounds_the_function(ax: Axes, text: str, l: float, u: float) -> None:  # noqa: E741
    plot_relaxation(text, l, u, lower=[-0.7, 0.3], upper=1.1, ax=ax)
    x, f = sampled(text, l, u)
    room = 1e-9 * (1.0 + np.abs(f).max())
    assert len(drawn(ax, LOWER)) == len(drawn(ax, UPPER)) == 1
    assert len(drawn(ax, LOWER, "--")) == 2 and len(drawn(ax, UPPER, "--")) == 1
    for style in ("-", "--"):
        assert all((height(one, x) <= f + room).all() for one in drawn(ax, LOWER, style))
        assert all((height(one, x) >= f - room).all() for one in drawn(ax, UPPER, style))


@pytest.mark.parametrize(("text", "l", "u"), CASES)
def test_the_curve_is_the_function_and_never_crosses_a_jump(
    ax: Axes,
    text: str,
    l: float,  # noqa: E741
    u: float,
) -> None:
    plot_relaxation(text, l, u, ax=ax)
    fn = function(text)
    jumps = [p.x for p in places(fn, l - 10.0, u + 10.0) if p.kind in ("jump", "pole")]
    spanned = []
    for one in drawn(ax, INK):
        x, f = (np.asarray(part, dtype=float) for part in one.get_data())
        np.testing.assert_allclose(f, fn.value(torch.from_numpy(x)).numpy(), atol=1e-12)
        assert not any(x[0] <= at <= x[-1] for at in jumps)
        spanned += [x[0], x[-1]]
    assert min(spanned) == pytest.approx(l) and max(spanned) == pytest.approx(u)


def test_touching_points_lie_on_line_and_curve() -> None:
    for text, l, u in CASES:  # noqa: E741
        fn = function(text)
        shown = relaxation(fn, l, u)
        for side in (shown.lower, shown.upper):
            found = touches(fn, side, l, u)
            room = 1.1e-5 * (shown.range[1] - shown.range[0]) + 1e-9
            assert found and all(l <= at <= u for at in found)
            limits = [fn.value(torch.tensor([at, np.nextafter(at, l), np.nextafter(at, u)])) for at in found]
            for at, f in zip(found, limits, strict=True):
                assert float((f - side.at(at)).abs().min()) <= room


def test_the_chord_of_a_convex_function_touches_at_both_ends() -> None:
    fn = make("exp")
    shown = relaxation(fn, -1.0, 2.0)
    assert touches(fn, shown.upper, -1.0, 2.0) == [-1.0, 2.0]
    assert touches(fn, shown.lower, -1.0, 2.0) == pytest.approx([0.5], abs=1e-2)


def test_no_two_lines_leave_less_than_the_least_area() -> None:
    """Against random pairs of sound lines, and against the default ones."""
    random = np.random.default_rng(1)
    for fn in functions():
        l = max(fn.domain[0], -1.3) if math.isfinite(fn.domain[0]) else -1.3  # noqa: E741
        u = min(fn.domain[1], l + 2.9)
        shown = relaxation(fn, l, u)
        assert shown.area >= shown.least_area * (1.0 - 1e-4) - 1e-9, fn
        if not math.isfinite(shown.least_area):
            continue
        x = torch.linspace(l, u, 1001, dtype=torch.float64)
        f = fn.value(x)
        for below, above in random.normal(size=(20, 2)):
            gap = float((f - above * x).max() + above * 0.5 * (l + u))
            gap -= float((f - below * x).min() + below * 0.5 * (l + u))
            assert (u - l) * gap >= shown.least_area * (1.0 - 1e-2) - 1e-9, fn


def test_the_least_area_of_known_shapes() -> None:
    assert relaxation(make("relu"), -1.0, 2.0).least_area == pytest.approx(1.5 * 1.0)
    assert relaxation(make("power", 2), -1.0, 3.0).least_area == pytest.approx(4.0 * 4.0)
    assert relaxation(make("step"), -1.0, 2.0).least_area == pytest.approx(3.0 * 0.75)
    assert relaxation(make("sin"), -200.0, 200.0).least_area == pytest.approx(800.0, rel=1e-3)
    assert relaxation(make("tanh"), 1.0, 1.0).least_area == 0.0


def test_titles_say_how_good_the_lines_are(ax: Axes) -> None:
    title = plot_relaxation("relu", -1, 2, ax=ax).get_title(loc="left")
    assert "relu on [-1, 2]" in title and "1.5" in title and "best possible" in title


@pytest.mark.parametrize(
    ("text", "l", "words"),
    [
        ("reciprocal", -1.0, ["no lower and no upper line", "unbounded"]),
        ("sqrt", -1.0, ["no lower and no upper line", "x >= 0"]),
        ("log", 0.0, ["no lower line", "unbounded"]),
        ("power(-2)", -1.0, ["no upper line", "unbounded"]),
    ],
)
def test_what_has_no_line_says_so(ax: Axes, text: str, l: float, words: list[str]) -> None:  # noqa: E741
    title = plot_relaxation(text, l, 2.0, ax=ax).get_title(loc="left")
    assert all(word in title for word in words), title
    assert "no lower" not in title or not drawn(ax, LOWER)
    assert "upper line" not in title or not drawn(ax, UPPER)
    low, high = ax.get_ylim()
    assert -1e4 < low < high < 1e4, "the sky of a pole must not hide the rest"


@pytest.mark.parametrize(
    ("text", "kind"), [("relu", "kink"), ("sigmoid", "inflection"), ("step", "jump"), ("reciprocal", "pole")]
)
def test_what_happens_in_the_box_is_marked(ax: Axes, text: str, kind: str) -> None:
    plot_relaxation(text, -1.0, 2.0, ax=ax)
    (mark,) = [one for one in ax.get_lines() if one.get_label() == kind]
    assert np.allclose(np.asarray(mark.get_xdata(), dtype=float), 0.0)


@pytest.mark.parametrize("l", [-1e-12, -1e6, 0.0])
def test_boxes_of_any_size_are_drawn(ax: Axes, l: float) -> None:  # noqa: E741
    for text in ("sin", "floor", "gelu", "tan"):
        plot_relaxation(text, l, l + 3.0 * abs(l), ax=ax)
        low, high = ax.get_ylim()
        assert math.isfinite(low) and low < high


def test_a_function_may_be_given_in_every_form(ax: Axes) -> None:
    silu = make("silu")
    for fn in ("silu", "x*sigmoid(x)", silu, apply(silu), lambda x: x * torch.sigmoid(x)):
        title = plot_relaxation(fn, -4, 3, ax=ax).get_title(loc="left")
        assert title.startswith("silu on [-4, 3]")
    with pytest.raises(UsageError, match="affine"):
        plot_relaxation(combine([(X, 2.0)]), -1, 1, ax=ax)
    with pytest.raises(UsageError, match="int"):
        plot_relaxation(3, -1, 1, ax=ax)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "ends",
    [(1.0, -1.0), (math.nan, 1.0), (0.0, math.inf), (-1e308, 1e308), ("a", 1.0), ([1], 2), (None, 1.0)],
)
def test_a_box_must_be_one(ax: Axes, ends: Any) -> None:
    with pytest.raises(UsageError, match="interval"):
        plot_relaxation("gelu", *ends, ax=ax)


def test_a_slope_must_be_a_number(ax: Axes) -> None:
    for wrong in (math.nan, ["a"], object()):
        with pytest.raises(UsageError, match="slope"):
            plot_relaxation("gelu", -1, 1, lower=wrong, ax=ax)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a.png", "a.svg", "a.pdf"])
def test_a_file_is_written_without_a_window_system(tmp_path: Path, name: str) -> None:
    sys.modules.pop("matplotlib.pyplot", None)
    genbab.plot_relaxation("gelu", -3, 3, path=tmp_path / name)
    assert (tmp_path / name).stat().st_size > 5000
    assert "matplotlib.pyplot" not in sys.modules


@pytest.mark.parametrize("name", ["a.xyz", "nowhere/a.png", "."])
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot write"):
        plot_relaxation("gelu", -3, 3, path=tmp_path / name)


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = builtins.__import__

    def blocked(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", blocked)
    with pytest.raises(UsageError, match=r"genbab\[plot\]"):
        plot_relaxation("gelu", -3, 3, path=tmp_path / "a.png")
