"""Branch and bound gives the same scores and true verdicts whatever its inner loops run in."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from types import ModuleType
from typing import Any, cast

import pytest
import torch

import genbab
from genbab.bounds import Relaxation, engine
from genbab.config import Config
from genbab.errors import ResourceError, UsageError
from genbab.kernels import Backend, Kernels, available
from genbab.system.device import kernels_for
from tests.branch.rooted import F64, SEEDS, all_exact, seen
from tests.kernels.backends import INTERPRETED, NAMES, ROOT, loaded
from tests.test_driver import random_spec, tiny

kernels = pytest.fixture(name="kernels", params=NAMES)(loaded)
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")
EXAMPLES = ROOT / "examples"
ROUGHLY = Config(timeout=20.0 if INTERPRETED else 1.5, root_steps=3, child_steps=2, attack_restarts=64)


@pytest.mark.parametrize("anchored", (False, True))
def test_scores_are_the_same(anchored: bool, kernels: Kernels) -> None:
    for seed in SEEDS[: 1 if INTERPRETED else None]:
        view, forms, *_ = seen(seed, rows=2)
        slow = view.relaxation
        fast = replace(view, relaxation=Relaxation(slow.network, slow.intervals, F64, kernels=kernels))
        for node in view.nodes:
            want, found = (all_exact(forms, one, node, anchored) for one in (view, fast))
            for a, b in zip(want, found, strict=True):
                assert bool((a > 0).any())
                torch.testing.assert_close(b, a, rtol=1e-6, atol=1e-6)  # tables of gelu: of intercepts 1e-8


@pytest.mark.parametrize("mode", ("input", "neuron"))
def test_verdicts_agree_with_a_grid(
    mode: Any,
    kernels: Kernels,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "kernels_for", lambda *_: kernels)
    decided, seeds = 0, range(1 if INTERPRETED else 5)
    for seed in seeds:
        model, network = tiny(seed % 4)
        spec, violated = random_spec(seed, network)
        result = genbab.verify(model, spec, ROUGHLY.with_(branching=mode))
        if violated is not None:
            assert result.verdict != ("verified" if violated else "falsified"), (seed, result.reason)
        decided += result.verdict in ("verified", "falsified")
    assert decided >= len(seeds) - 1


@pytest.mark.parametrize("mode", ("input", "neuron"))
def test_without_an_attack_nothing_false_is_proved(
    mode: Any,
    kernels: Kernels,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "kernels_for", lambda *_: kernels)
    for seed in range(1 if INTERPRETED else 8):
        model, network = tiny(seed % 4)
        spec, violated = random_spec(seed, network)
        result = genbab.verify(model, spec, Config(timeout=0.4, branching=mode, attack_restarts=0))
        assert not (violated and result.verdict == "verified"), seed


@pytest.mark.skipif(not available(Backend.NUMBA), reason="numba is not installed")
@pytest.mark.parametrize(("word", "verdict"), (("holds", "verified"), ("violated", "falsified")))
def test_the_setting_reaches_the_engine(word: str, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def noted(backend: str, device: torch.device) -> Kernels:
        found = kernels_for(backend, device)
        seen.append(cast(ModuleType, found).__name__)
        return found

    monkeypatch.setattr(engine, "kernels_for", noted)
    paths = EXAMPLES / "onnx/digits_gelu.onnx", EXAMPLES / f"vnnlib/digits_gelu_{word}.vnnlib"
    plain = "genbab.kernels.torch.operations"
    names = {"numba": "genbab.kernels.cpu", "torch": plain, "auto": plain}
    for backend, name in names.items():
        config = Config.from_text({"timeout": "60", "backend": backend})
        assert genbab.verify(*paths, config).verdict == verdict
        assert seen.pop() == name and not seen


def test_what_cannot_be_used_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = EXAMPLES / "onnx/digits_sin.onnx", EXAMPLES / "vnnlib/digits_sin_holds.vnnlib"
    with pytest.raises(UsageError, match="--backend triton computes on cuda, the device is cpu"):
        genbab.verify(*paths, Config(backend="triton"))
    with pytest.raises(UsageError, match="backend = 'jax': must be one of auto, torch, numba, triton"):
        Config(backend="jax")  # type: ignore[arg-type]
    monkeypatch.setattr("genbab.kernels.backend.available", lambda b: b is Backend.TORCH)
    with pytest.raises(ResourceError, match="backend 'numba' needs the package numba"):
        genbab.verify(*paths, Config(backend="numba"))


def test_a_run_with_default_settings_imports_neither_numba_nor_triton() -> None:
    code = f"""
import sys, genbab
from pathlib import Path
at = Path({str(EXAMPLES)!r})
found = genbab.verify(at / "onnx/digits_gelu.onnx", at / "vnnlib/digits_gelu_holds.vnnlib")
assert found.verdict == "verified"
assert not {{"numba", "triton"}} & set(sys.modules), sorted(sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
