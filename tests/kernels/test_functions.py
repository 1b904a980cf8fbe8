"""Every function that kernels know has what each implementation needs of it; what is missing is named."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from genbab.kernels import Backend, Function, available
from genbab.kernels.functions import HOT, Code
from genbab.kernels.torch.conjugates import candidates, value
from tests.kernels.cases import FUNCTIONS

ROOT = Path(__file__).resolve().parents[2]
ONE = [fn for fn in FUNCTIONS if fn.arguments == 1]
X = torch.linspace(0.1, 0.9, 16, dtype=torch.float64)


def slopes(fn: Function) -> torch.Tensor:
    """Slopes that the function has somewhere."""
    return -X if fn.name == "reciprocal" else 0.2 * X if fn.name == "sigmoid" else X


@pytest.mark.parametrize("fn", ONE, ids=lambda f: f.name)
def test_torch_knows_it(fn: Function) -> None:
    assert bool(torch.isfinite(value(fn, X)).all())
    for side in (False, True):
        places = candidates(fn, slopes(fn), X, X + 9.0, torch.full(X.shape, side))
        assert places and all(bool(torch.isfinite(x).all()) for x in places)


@pytest.mark.skipif(not available(Backend.NUMBA), reason="numba is not installed")
@pytest.mark.parametrize("fn", ONE, ids=lambda f: f.name)
def test_numba_knows_it(fn: Function) -> None:
    from genbab.kernels.cpu.arrays import tables_of
    from genbab.kernels.cpu.touching import points
    from genbab.kernels.cpu.values import values

    found = torch.full_like(X, torch.nan).numpy()
    values(fn.code, fn.parameter, X.numpy(), found)
    torch.testing.assert_close(
        torch.from_numpy(found), value(fn, X), msg=lambda m: f"cpu/values.py: {fn.name}: {m}"
    )
    for side in (-1.0, 1.0):
        found[:] = torch.nan
        points(fn.code, torch.full_like(X, side).numpy(), slopes(fn).numpy(), *tables_of(fn, X), found)
        assert bool(torch.isfinite(torch.from_numpy(found)).all()), f"cpu/touching.py: no points of {fn.name}"


def test_numba_says_that_it_does_not_know() -> None:
    """A code without a loop gives NaN, not the numbers of some other function."""
    if not available(Backend.NUMBA):
        pytest.skip("numba is not installed")
    from genbab.kernels.cpu.touching import points
    from genbab.kernels.cpu.values import values

    x, found = X.numpy(), torch.zeros_like(X).numpy()
    values(len(Code), 0.0, x, found)
    assert bool(torch.from_numpy(found).isnan().all())
    found[:] = 0.0
    points(len(Code), x, x, x, 1.0, 1.0, found)
    assert bool(torch.from_numpy(found).isnan().all())


def compile_each(names: list[str]) -> dict[str, str]:
    """What Triton's compiler says of a step through each function, where it refuses it."""
    import triton
    from triton.backends.compiler import GPUTarget

    from genbab.kernels.gpu.relaxing import relax_kernel
    from tests.kernels.test_compile import CONSTANTS, signature

    kernel, wrong = relax_kernel.fn, {}
    types = signature(list(inspect.signature(kernel.fn).parameters), "fp32")
    for name in names:
        constants = {n: CONSTANTS[n] for n, t in types.items() if t == "constexpr" and n != "CODE"}
        constants["CODE"] = int(Code[name.upper()]) if name.upper() in Code.__members__ else len(Code)
        source = triton.compiler.ASTSource(fn=kernel, signature=types, constexprs=constants)
        try:
            triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": 4})
        except triton.compiler.errors.CompilationError as error:
            wrong[name] = str(innermost(error))
    return wrong


def innermost(error: BaseException) -> BaseException:
    """What an error goes back to."""
    return error if error.__cause__ is None else innermost(error.__cause__)


@pytest.mark.skipif(not available(Backend.TRITON), reason="triton is not installed")
def test_triton_knows_them_and_refuses_others(tmp_path: Path) -> None:
    names = [*(fn.name for fn in ONE), "mish"]
    code = f"""
from tests.kernels.test_functions import compile_each
wrong = compile_each({names!r})
assert list(wrong) == ["mish"], wrong
assert "of this function" in wrong["mish"], wrong
"""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path), "TRITON_INTERPRET": "0", "PYTHONPATH": path}
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]


def test_codes_are_places_of_names() -> None:
    assert [Function(name).code for name in HOT] == list(range(len(HOT)))
