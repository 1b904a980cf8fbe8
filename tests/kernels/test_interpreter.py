"""The Triton kernels, run by Triton's interpreter on CPU tensors, and the engine with them.

In processes of their own, since what Triton does is settled when it is imported; few, since each starts anew.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from genbab.kernels import Backend, available
from tests.kernels.backends import INTERPRETED, ROOT

FILES = {
    "kernels": ("kernels/test_parity.py", "kernels/test_softmax.py"),
    "engine": ("bounds/test_kernels.py", "branch/test_kernels.py"),
}


@pytest.mark.skipif(INTERPRETED or not available(Backend.TRITON), reason="triton is not installed, or runs")
@pytest.mark.parametrize("group", FILES)
def test_all_of_this_in_the_interpreter(group: str) -> None:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-rp",
        "-k",
        "triton",
    ]
    files = [str(ROOT / "tests" / name) for name in FILES[group]]
    run = subprocess.run([*command, *files], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-6000:]
    assert all(f"PASSED tests/{name}::" in run.stdout for name in FILES[group])
    assert "skipped" not in run.stdout
