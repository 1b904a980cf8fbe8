"""How threads wait is said before torch is loaded, unless the user says it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from genbab.system.process import SPINS, brief_waits


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": SPINS}),
        ({"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "7"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "ACTIVE"}),
    ],
)
def test_waits_are_brief_unless_the_environment_says_otherwise(
    given: dict[str, str], expected: dict[str, str]
) -> None:
    environment = dict(given)
    brief_waits(environment)
    assert environment == expected


def test_the_first_public_name_says_it_unless_torch_is_loaded() -> None:
    code = "import os, sys; {}; import genbab; genbab.Result; print(os.environ.get('GOMP_SPINCOUNT'))"
    clean = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    for before, expected in (("pass", SPINS), ("sys.modules['torch'] = None", "None")):
        command = [sys.executable, "-c", code.format(before)]
        done = subprocess.run(command, env=clean, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected


def test_no_command_loads_torch_before_it_is_said() -> None:
    code = (
        "import os, sys; from genbab.cli import main; "
        "said = 'torch' in sys.modules; main(['--version']); "
        "print(said, 'torch' in sys.modules, os.environ['GOMP_SPINCOUNT'])"
    )
    clean = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    done = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-3:] == ["False", "False", SPINS]
