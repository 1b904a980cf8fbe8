"""The checker imports the standard library, numpy, onnx and itself, and can be read in an afternoon."""

from __future__ import annotations

import subprocess
import sys

from tests.house.source import ROOT, sources

MOST_CODE = 4980


def ours(module: str) -> bool:
    """Whether it is one of the checker's."""
    return module == "genbab.check" or module.startswith("genbab.check.")


FILES = [source for source in sources("genbab") if ours(source.module)]


def test_imports() -> None:
    found = {i.target for source in FILES for i in source.imports}
    top = {target for target in found if not ours(target)}
    assert {target.split(".")[0] for target in top} <= {*sys.stdlib_module_names, "numpy", "onnx"}
    assert not [target for target in top if target.startswith(("onnx.reference", "onnxruntime"))]


def test_nothing_else_of_the_package_is_loaded() -> None:
    code = "import sys, genbab.check.__main__; print(*(m for m in sys.modules if m.startswith('genbab')))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    others = [m for m in done.stdout.split() if not ours(m)]
    assert set(others) <= {"genbab", "genbab.version"}


def test_size() -> None:
    assert sum(source.code_lines() for source in FILES) <= MOST_CODE
