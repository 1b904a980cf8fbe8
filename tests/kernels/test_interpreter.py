"""The Triton kernels, run by Triton's interpreter on CPU tensors.

In a process of its own, since what Triton does is settled when it is imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from genbab.kernels import Backend, available

ROOT = Path(__file__).resolve().parents[2]
FILES = ("test_parity.py", "test_softmax.py")
GROUPS = {
    "relaxing": "test_relax",
    "gradients": "test_gradient or test_lines or test_concretise or test_calls",
    "envelopes": "test_envelope",
    "splitting": "test_half or test_reach or test_points or test_prepared",
    "softmax": "test_softmax",
}


@pytest.mark.skipif(not available(Backend.TRITON), reason="triton is not installed")
@pytest.mark.parametrize("group", sorted(GROUPS))
def test_kernels_agree_with_the_reference_when_interpreted(group: str) -> None:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    chosen = [*(str(ROOT / "tests/kernels" / name) for name in FILES), "-k", f"triton and ({GROUPS[group]})"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *chosen]
    run = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-6000:]
    assert " passed" in run.stdout and "skipped" not in run.stdout
