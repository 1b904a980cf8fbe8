"""`genbab relax`: what is printed is true, and what makes no sense gets one clear message."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from genbab.nonlinear import REGISTRY
from genbab.nonlinear.composed.formula import function

from .conftest import Command

LINE = re.compile(r"f\(x\) (>=|<=) (\S+)·x ([+-]) (\S+), closest at")


@pytest.fixture
def genbab(inside: Command) -> Command:
    return inside


def functions(out: str) -> list[dict[str, Any]]:
    found = json.loads(out)
    assert found["schema"] == 1
    return list(found["functions"])


def test_the_lines_that_are_printed_bound_the_function(genbab: Command) -> None:
    said = genbab("relax", "gelu", "x + sin(x)**2", "floor", "-3.5", "3", "--slope", "0.3", "--slope", "-1e0")
    assert said.code == 0, said.err
    parts = said.out.split("\n\n")
    assert len(parts) == 3
    x = torch.linspace(-3.5, 3.0, 10001, dtype=torch.float64)
    for text, part in zip(("gelu", "x + sin(x)**2", "floor"), parts, strict=True):
        f = function(text).value(x)
        lines = LINE.findall(part)
        assert len(lines) == 6
        for relation, slope, sign, shift in lines:
            gap = f - float(slope) * x - float(sign + shift)
            assert bool((gap >= -1e-12).all() if relation == ">=" else (gap <= 1e-12).all()), (text, slope)


def test_json_says_the_same_as_the_library(genbab: Command) -> None:
    said = genbab("relax", "shrink(0.2, 1)", "-2", "3", "--slope", "0.5", "--json")
    (found,) = functions(said.out)
    record = function("shrink(0.2, 1)")
    assert found["jumps"][0] == dict(zip(("low", "high", "left", "right"), record.jumps[0], strict=True))
    assert found["kinks"] == list(record.kinks)
    assert [s["curvature"] for s in found["segments"]] == ["straight"] * len(record.curvature)
    x = torch.linspace(-2.0, 3.0, 5001, dtype=torch.float64)
    f = record.value(x)
    assert found["range"][0] <= float(f.min()) and float(f.max()) <= found["range"][1]
    for side in (found["lower"], found["upper"], *found["lines"]):
        gap = f - side["slope"] * x - side["intercept"]
        upper = side is found["upper"] or side.get("side") == "upper"
        assert bool((gap <= 0).all() if upper else (gap >= 0).all())
    assert found["area"] >= found["least_area"] * (1 - 1e-9)


def test_facts_are_shown(genbab: Command) -> None:
    said = genbab("relax", "sigmoid", "-1", "1")
    assert "convex below 0, concave above" in said.out and "all numbers" in said.out
    said = genbab("relax", "reciprocal", "-1", "1")
    assert "pole at 0" in said.out and "unbounded" in said.out and "[-inf, inf]" in said.out
    said = genbab("relax", "floor", "-1", "1")
    assert "every 1" in said.out


def test_files(genbab: Command, tmp_path: Path) -> None:
    said = genbab("relax", "gelu", "-3", "3", "--plot", "g.svg", "--json", "g.json")
    assert said.code == 0 and said.out == "", said.err
    assert "<svg" in (tmp_path / "g.svg").read_text()
    assert functions((tmp_path / "g.json").read_text())[0]["name"] == "gelu"


def test_the_list_is_the_library(genbab: Command) -> None:
    said = genbab("relax", "--list")
    assert said.code == 0
    assert [re.split(r"[( ]", line)[0] for line in said.out.splitlines()] == sorted(REGISTRY)
    assert "LeakyRelu(alpha=0.01)" in said.out
    some = functions(genbab("relax", "--list", "elu", "tanh", "--json").out)
    assert [one["function"] for one in some] == ["elu(alpha=1)", "tanh"]
    assert some[1]["onnx"] == ["Tanh"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["gleu", "-1", "1"], ["gleu", "did you mean gelu"]),
        (["x*sgmoid(x)", "-1", "1"], ["column 3", "sigmoid"]),
        (["power", "-1", "1"], ["power(p)"]),
        (["x**x", "0", "1"], ["exponent"]),
        (["2*x", "0", "1"], ["affine"]),
        (["gelu"], ["L, U"]),
        ([], ["NAME"]),
        (["gelu", "1", "-1"], ["empty"]),
        (["gelu", "nan", "1"], ["L", "finite"]),
        (["gelu", "-inf", "1"], ["L", "finite"]),
        (["gelu", "0", "1e999"], ["U", "finite"]),
        (["gelu", "0", "one"], ["U", "'one'"]),
        (["gelu", "0", "1", "--slope", "steep"], ["--slope", "'steep'"]),
        (["gelu", "0", "1", "--slope", "inf"], ["--slope", "finite"]),
        (["gelu", "0", "1", "--slop", "1"], ["--slop", "did you mean --slope"]),
        (["gelu", "0", "1", "--plot", "a.xyz"], ["a.xyz"]),
        (["gelu", "tanh", "0", "1", "--plot", "a.png"], ["one function at a time"]),
        (["gelu", "0", "1", "--json", "nowhere/a.json"], ["nowhere/a.json"]),
        (["--list", "gleu"], ["gleu", "did you mean gelu"]),
    ],
)
def test_usage(genbab: Command, words: list[str], named: list[str]) -> None:
    said = genbab("relax", *words)
    assert said.code == 2 and said.out == "" and "Traceback" not in said.err
    assert said.err.startswith("genbab: error: ") and all(word in said.err for word in named), said.err


def test_numbers_and_formulas_may_begin_with_a_minus(genbab: Command) -> None:
    said = genbab("relax", "-x**2", "-1e-1", "-.5e-1")
    assert said.code == 0 and "on [-0.1, -0.05]" in said.out, said.err
