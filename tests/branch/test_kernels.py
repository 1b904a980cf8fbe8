"""Branch and bound gives the same scores and verdicts whatever its inner loops run in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import genbab
from genbab.bounds import Relaxation
from genbab.errors import UsageError
from genbab.kernels import Backend, available, implementation
from tests.branch.rooted import F64, SEEDS, all_exact, seen

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
COMPILED = pytest.mark.skipif(not available(Backend.NUMBA), reason="numba is not installed")


@pytest.mark.parametrize("anchored", (False, True))
@pytest.mark.parametrize("backend", [Backend.TORCH, pytest.param(Backend.NUMBA, marks=COMPILED)])
def test_scores_are_the_same(backend: Backend, anchored: bool) -> None:
    kernels = implementation(backend, torch.device("cpu"))
    for seed in SEEDS:
        view, forms, *_ = seen(seed, rows=2)
        slow = view.relaxation
        fast = replace(view, relaxation=Relaxation(slow.network, slow.intervals, F64, kernels=kernels))
        for node in view.nodes:
            want, found = (all_exact(forms, one, node, anchored) for one in (view, fast))
            for a, b in zip(want, found, strict=True):
                assert bool((a > 0).any())
                torch.testing.assert_close(b, a, rtol=1e-9, atol=1e-9)


@COMPILED
@pytest.mark.parametrize("name", ("digits_sigmoid", "digits_sin", "digits_gelu"))
def test_verdicts_are_the_same(name: str) -> None:
    for word, verdict in (("holds", "verified"), ("violated", "falsified")):
        paths = EXAMPLES / f"onnx/{name}.onnx", EXAMPLES / f"vnnlib/{name}_{word}.vnnlib"
        assert genbab.verify(*paths, genbab.Config(timeout=60, backend="numba")).verdict == verdict


def test_kernels_for_another_device_are_refused() -> None:
    paths = EXAMPLES / "onnx/digits_sin.onnx", EXAMPLES / "vnnlib/digits_sin_holds.vnnlib"
    with pytest.raises(UsageError, match="--backend triton computes on cuda, the device is cpu"):
        genbab.verify(*paths, genbab.Config(backend="triton"))
