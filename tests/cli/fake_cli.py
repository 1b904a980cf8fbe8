"""The command line with a stand-in engine: `python fake_cli.py BEHAVIOUR WORD...`. No torch is imported."""

from __future__ import annotations

import ctypes
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from genbab.cli import main
from genbab.config import Config
from genbab.errors import UnsupportedError
from genbab.proof import checking
from genbab.result import Counterexample, Progress, Result, Verdict
from genbab.system.deadline import Deadline
from genbab.told import Told

HOW = sys.argv[1]


def answered(model: object, spec: object, config: Config, told: Told, deadline: Deadline) -> Result:
    """Behave as asked."""
    config = config.with_(timeout=deadline.seconds)
    told.progress(Progress("branching", bound=-0.5, open=3, domains=7))
    Path("begun").touch()
    result: Result = BEHAVIOURS[HOW](config)
    if told.proof is None:
        return result
    told.proof.path.write_text("stand-in")
    return replace(result, statistics={**result.statistics, "proof": str(told.proof.path)})


def verified(config: Config) -> Result:
    return Result(Verdict.VERIFIED, 0.0, 0.25, "all rows are proved", statistics={"domains": 7})


def slowly_checked(config: Config) -> Result:
    """A verdict whose proof is checked without an end."""
    wait = "import pathlib, time; pathlib.Path('checking').touch(); time.sleep(60)"
    checking.command = lambda *_: [sys.executable, "-c", wait]
    return verified(config)


def falsified(config: Config) -> Result:
    found = Counterexample(np.array([0.1], np.float32), np.array([-1.0], np.float32), 0)
    return Result(Verdict.FALSIFIED, 0.0, -0.5, "replayed in onnxruntime", found)


def unknown(config: Config) -> Result:
    return Result(Verdict.UNKNOWN, 0.0, float("-inf"), "nothing helped; try --branching input")


def polite(config: Config) -> Result:
    """Ask the deadline now and then."""
    deadline = Deadline(config.timeout)
    while True:
        time.sleep(0.01)
        deadline.check()


def sleeps(config: Config) -> Result:
    """Python that never asks the deadline; Ctrl-C gets through."""
    while True:
        time.sleep(0.01)


def deaf(config: Config) -> Result:
    """One long call into compiled code: no signal handler runs until it returns."""
    ctypes.CDLL(None).sleep(3)
    libc_sleep_again(config)
    return verified(config)


def libc_sleep_again(config: Config) -> None:
    """A signal cuts the first sleep short, so sleep on."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        ctypes.CDLL(None).usleep(900_000)


def stubborn(config: Config) -> Result:
    """Swallow every interruption."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            time.sleep(0.05)
        except KeyboardInterrupt:
            pass
    return verified(config)


def memory(config: Config) -> Result:
    raise MemoryError


def torch_memory(config: Config) -> Result:
    raise RuntimeError(
        "[enforce fail at alloc_cpu.cpp:1] . DefaultCPUAllocator: can't allocate memory: 9 bytes\nmore"
    )


def bug(config: Config) -> Result:
    raise KeyError("a\nbug")


def nan_bound(config: Config) -> Result:
    return Result(Verdict.VERIFIED, 0.0, float("nan"))


def unsupported(config: Config) -> Result:
    raise UnsupportedError("model.onnx", [("n1", "Foo", "no rule"), ("n2", "Bar", "no rule")])


BEHAVIOURS: dict[str, Any] = {
    f.__name__: f
    for f in (
        verified,
        slowly_checked,
        falsified,
        unknown,
        polite,
        sleeps,
        deaf,
        stubborn,
        memory,
        torch_memory,
        bug,
        nan_bound,
    )
} | {"unsupported": unsupported, "vacuous": verified}


def module(name: str, **contents: object) -> None:
    """Put a stand-in module where imports find it."""
    made = ModuleType(name)
    for key, value in contents.items():
        setattr(made, key, value)
    sys.modules[name] = made
    parent, _, child = name.rpartition(".")
    setattr(sys.modules[parent], child, made)


notes = ("input X_0 has the empty interval [1, 0]",)
spec = SimpleNamespace(
    vacuous=HOW == "vacuous", notes=notes, lower=[], input_size=1, output_size=1, declared=(), runs=()
)
model = SimpleNamespace(network=SimpleNamespace(output_size=1))
module("genbab.api", answered=answered)
loaded, on_integers = (lambda deadline, path, config: model), (lambda model, spec, ask: (model, spec))
module("genbab.driver", load_within=loaded, on_integers=on_integers)
module("genbab.specs", read_vnnlib=lambda path, derivatives=False: spec)
module("genbab.system.device", resolve=lambda name: name)
sys.exit(main(sys.argv[2:]))
