"""How long the kernels take, and what part of the device's memory bandwidth they reach.

    python benchmarks/kernels.py [--device cuda] [--out benchmarks/records] [--small] [--compile] [--whole 30]

Per kernel, shape and backend: bytes that must be moved, median time, their rate as a fraction of that of a
copy on the same device, and the time of the plain torch definition (eager, and through torch.compile) over
it. One JSON file per device. Nothing is asserted; correctness is what `make gpu-check` and the tests are for.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from whole_runs import whole_runs

from genbab.kernels import Backend, Function, Kernels, available, implementation
from genbab.kernels.torch import reference

SHAPES = ((4, 200, 200), (64, 9, 1000), (1024, 1, 600), (16, 256, 4096))
SMALL = ((4, 200, 200), (64, 9, 1000))
FUNCTIONS = ("relu", "sigmoid", "sin", "gelu", "reciprocal", "product")
COPY = 1 << 26
REPEATS = 20


@dataclass(frozen=True)
class Work:
    """One call: what it is, the bytes it must move, and the call for a given implementation."""

    kernel: str
    shape: tuple[int, ...]
    moved: int
    call: Callable[[Kernels], object]


def seconds(call: Callable[[], object], device: torch.device) -> float:
    """Median seconds of a call."""
    for _ in range(3):
        call()
    times = []
    for _ in range(REPEATS):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        start = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def bandwidth(device: torch.device) -> float:
    """Bytes per second, read and written, of a copy far larger than the caches."""
    source = torch.ones(COPY, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / seconds(lambda: target.copy_(source), device)


def relaxing(
    fn: Function, shape: tuple[int, int, int], device: torch.device, dtype: torch.dtype
) -> list[Work]:
    """The step and its adjoint."""
    batch, rows, size = shape
    number = torch.finfo(dtype).bits // 8
    whole, thin = batch * rows * size * number, batch * size * number

    def random(*dims: int) -> torch.Tensor:
        return torch.randn(*dims, device=device, dtype=dtype)

    a, before = random(*shape), random(*shape)
    boxes, slopes, low, high = [], [], [], []
    for _ in range(fn.arguments):
        middle, radius = random(batch, 1, size), random(batch, 1, size).abs()
        middle = middle.abs() + radius + 0.1 if fn.name == "reciprocal" else middle
        boxes.append((middle - radius, middle + radius))
        slopes.append(0.5 * random(*shape))
        low.append(random(batch, 1, size))
        high.append(random(batch, 1, size))
    sides, values = (tuple(low), tuple(high)), tuple(random(*shape) for _ in boxes)
    args = fn, a, tuple(boxes), tuple(slopes), sides, before
    lines = reference.relax(*args)
    bare = reference.Relaxed(lines.forms, lines.bias, lines.slopes)
    n = fn.arguments
    return [
        Work(f"relax {fn.name}", shape, (2 + 2 * n) * whole + 4 * n * thin,
             lambda m: m.relax(*args, keep=False)),
        Work(f"relax {fn.name}, kept", shape, (3 + 4 * n) * whole + 4 * n * thin, lambda m: m.relax(*args)),
        Work(f"gradient {fn.name}", shape, (2 + 3 * n) * whole + 2 * n * thin,
             lambda m: m.gradient(fn, a, args[2], bare, values)),
        Work(f"gradient {fn.name}, kept", shape, (3 + 4 * n) * whole,
             lambda m: m.gradient(fn, a, args[2], lines, values)),
    ]  # fmt: skip


def reading(shape: tuple[int, int, int], device: torch.device, dtype: torch.dtype) -> list[Work]:
    """Lines from memory, the least of a form over a box, and half-spaces."""
    batch, rows, size = shape
    number = torch.finfo(dtype).bits // 8
    whole, thin = batch * rows * size * number, batch * size * number

    def random(*dims: int) -> torch.Tensor:
        return torch.randn(*dims, device=device, dtype=dtype)

    a, middle, radius = random(*shape), random(batch, size), random(batch, size).abs()
    box, mass = (middle - radius, middle + radius), random(batch, 1, size).abs()
    lower, upper = (((random(batch, 1, size),), random(batch, 1, size)) for _ in range(2))
    normal, level = random(batch, 2, size), random(batch, 2)
    weight = reference.weights(a, middle, radius, normal, level)
    return [
        Work("lines", shape, 2 * whole + 5 * thin, lambda m: m.lines(a, lower, upper, mass)),
        Work("concretise", shape, whole + 2 * thin, lambda m: m.concretise(a, box)),
        Work("concretise, corner", shape, 2 * whole + 2 * thin, lambda m: m.concretise(a, box, corner=True)),
        Work("weights, 2 half-spaces", shape, whole + 4 * thin,
             lambda m: m.weights(a, middle, radius, normal, level)),
        Work("dual, 2 half-spaces", shape, whole + 4 * thin, lambda m: m.dual(a, box, normal, level, weight)),
    ]  # fmt: skip


def splitting(shape: tuple[int, int, int], device: torch.device, dtype: torch.dtype) -> list[Work]:
    """Scores."""
    batch, rows, size = shape
    number = torch.finfo(dtype).bits // 8

    def random(*dims: int) -> torch.Tensor:
        return torch.randn(*dims, device=device, dtype=dtype)

    rows, count = min(rows, 9), 4 * batch
    forms, weights = random(count, rows, size), random(count, rows, 5)
    below, above = random(count, size), random(count, size)
    return [
        Work("reach, 5 weights", (count, rows, size), (rows + 2) * count * size * number,
             lambda m: m.reach(forms, below, above, weights)),
    ]  # fmt: skip


def works(device: torch.device, dtype: torch.dtype, small: bool) -> list[Work]:
    """All calls."""
    found = []
    for shape in SMALL if small else SHAPES:
        for name in FUNCTIONS:
            found += relaxing(Function(name), shape, device, dtype)
        found += reading(shape, device, dtype) + splitting(shape, device, dtype)
    return found


def compiled_seconds(work: Work, device: torch.device) -> float | None:
    """The definition through torch.compile; None where that cannot."""
    try:
        call = torch.compile(lambda: work.call(reference), dynamic=False)
        return seconds(call, device)
    except Exception as error:  # torch.compile raises many kinds
        print(f"  torch.compile: {type(error).__name__}")
        return None


def measured(
    work: Work, backends: list[Backend], device: torch.device, copy: float, inductor: bool
) -> dict[str, Any]:
    """The row of one call."""
    eager = seconds(lambda: work.call(reference), device)
    row: dict[str, Any] = {
        "kernel": work.kernel,
        "shape": work.shape,
        "bytes": work.moved,
        "torch_us": eager * 1e6,
    }
    through = compiled_seconds(work, device) if inductor else None
    row["torch_compile_us"] = None if through is None else through * 1e6
    for backend in backends:
        module = implementation(backend, device)
        took = seconds(lambda: work.call(module), device)  # noqa: B023 - called at once
        row[backend.value] = {
            "us": took * 1e6,
            "of_copy": work.moved / took / copy,
            "torch_over_it": eager / took,
            "compile_over_it": None if through is None else through / took,
        }
    return row


def name_of(device: torch.device) -> str:
    """The device in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    count = torch.get_num_threads()
    return f"{platform.processor() or platform.machine()} CPU, {count} thread{'s' if count > 1 else ''}"


def write(folder: Path, kind: str, device: str, content: dict[str, Any], end: str = "") -> None:
    """One JSON file."""
    folder.mkdir(parents=True, exist_ok=True)
    words = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
    path = folder / f"{kind}-{words}{end}.json"
    path.write_text(json.dumps({"device": device, "torch": torch.__version__, **content}, indent=1) + "\n")
    print(path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the kernels and write a JSON record.")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "records")
    parser.add_argument("--small", action="store_true", help="the two small shapes only")
    parser.add_argument("--compile", action="store_true", help="also torch.compile, which takes minutes")
    parser.add_argument("--only", default="", help="kernels whose name contains this")
    parser.add_argument("--whole", type=float, help="only whole networks, and runs of so many seconds")
    given = parser.parse_args()
    if given.whole is not None:
        write(given.out, "whole-runs", name_of(torch.device("cpu")), {"rows": whole_runs(given.whole)})
        return
    device = torch.device(given.device)
    wanted = Backend.TRITON if device.type == "cuda" else Backend.NUMBA
    backends = [wanted] if available(wanted) else []
    torch.manual_seed(0)
    copy = bandwidth(device)
    name = name_of(device)
    print(f"{name}, {given.dtype}: a copy moves {copy / 1e9:.1f} GB/s")
    rows = []
    for work in works(device, getattr(torch, given.dtype), given.small):
        if given.only in work.kernel:
            rows.append(measured(work, backends, device, copy, given.compile))
            one = rows[-1].get(wanted.value, {})
            print(
                f"{work.kernel:26} {str(work.shape):18} torch {rows[-1]['torch_us']:9.0f} us  "
                f"{wanted.value} {one.get('us', float('nan')):9.0f} us  x{one.get('torch_over_it', 0):5.1f}  "
                f"{100 * one.get('of_copy', 0):4.0f} % of a copy",
                flush=True,
            )
    content = {"dtype": given.dtype, "copy_gb_s": copy / 1e9, "rows": rows}
    write(given.out, "kernels", name, content, f"-{given.dtype}")


if __name__ == "__main__":
    main()
