"""Triton's compiler accepts every kernel for GPUs that are not here; nothing is run."""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from genbab.kernels.functions import HOT

pytest.importorskip("triton")

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("relaxing", "summing", "branching", "tables", "softmax", "envelopes")
WHOLE = {"critical": "*i64"}
BYTES = ("before",)
CONSTANTS = {
    "p": 0.1, "steepest": 1.1289, "reach": 8.3, "KIND": 2, "KEEP": True, "KEPT": False, "ADD": False,
    "FREE": True, "LEAST": 1e-37, "MEAN_KEPT": 0.4, "SQUARE_KEPT": 0.8,
    "TWO": True, "UPPER": True, "MASS": True, "CORNER": True, "SIZE": True, "MANY": 4,
    "BLOCK": 128, "ROWS": 4, "COLUMNS": 128, "period": 6.283185307179586, "lines": 40, "CENTRES": 2,
    "BETWEEN": 2, "PLACES": 88, "AIMS": 6, "STOPS": 2, "JUMPS": 2, "DEPTH": 8,
    "APART": True, "FLOOR": 1e-30, "GROUPS": 16, "WIDE": 8,
}  # fmt: skip


def kernels() -> dict[str, Any]:
    """Every kernel that is launched, by name, without its tuner."""
    import triton

    found = {}
    for name in MODULES:
        module = importlib.import_module(f"genbab.kernels.gpu.{name}")
        for title, one in vars(module).items():
            if title.endswith("_kernel"):
                found[title] = one if isinstance(one, triton.JITFunction) else one.fn
    return found


def signature(names: list[str], float_type: str) -> dict[str, str]:
    """Pointers come first, then sizes and strides; constants are known by name."""
    types: dict[str, str] = {}
    pointer = True
    for name in names:
        pointer &= not (name.isupper() and len(name) == 1)
        if name in CONSTANTS or name == "CODE":
            types[name] = "constexpr"
        elif name in BYTES and pointer:
            types[name] = "*u8"
        else:
            types[name] = WHOLE.get(name, f"*{float_type}") if pointer else "i32"
    return types


def compile_all(float_type: str, function: str) -> list[str]:
    """Compile for compute capability 9.0 and name what was compiled."""
    import triton
    from triton.backends.compiler import GPUTarget

    done = []
    for title, kernel in kernels().items():
        names = list(inspect.signature(kernel.fn).parameters)
        types = signature(names, "fp64" if title == "points_kernel" else float_type)
        constants = {n: CONSTANTS[n] for n, t in types.items() if t == "constexpr" and n != "CODE"}
        if "CODE" in names:
            constants["CODE"] = HOT.index("tanh" if title == "envelope_kernel" else function)
        source = triton.compiler.ASTSource(fn=kernel, signature=types, constexprs=constants)
        made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": 4})
        assert "ld.global" in made.asm["ptx"]
        done.append(title)
    return done


def test_every_kernel_compiles_for_a_gpu(tmp_path: Path) -> None:
    code = (
        "from tests.kernels.test_compile import compile_all\n"
        "print(*(len(compile_all(*how)) for how in (('fp32', 'sin'), ('fp64', 'gelu'))))"
    )
    # a process of its own: no interpreter there, and a cache that is thrown away
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path), "TRITON_INTERPRET": "0", "PYTHONPATH": path}
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.split() == ["13", "13"]
