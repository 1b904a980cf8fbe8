"""Which of ONNX's own node tests are read: `python benchmarks/backend_nodes.py --keep FILE [NAME ...]`.

The tests come with onnx (`onnx.backend.test`): models of one operator, or of what defines it, with values of
their inputs. What is counted:

* *run*: onnxruntime (no graph optimisations, CPU) runs the model at the test's inputs, and an output is a
  tensor of floating-point numbers, or a sequence of them. All shares are of these. Models of a newer version
  of the format, or of the default operator set, than onnxruntime knows get the newest that it knows.
* *read*: genbab loads the model. Inputs of floating-point numbers vary, all that are finite and hold numbers
  (in the only such input of a test 1 stands for what is not finite); others are initialisers with the
  test's values, which is how such numbers stand in files. Where that is refused, a model counts too with one
  such input varying and the others held (weights, scales, limits); *with all* says how many need no second
  try. A test without such inputs is read with its first input varying where the reader takes its type, else
  with everything held beside a spare input. Sequences and optional tensors are made and taken apart by nodes.
* *sound*: bounds (`backward`; of more than 1000 outputs `interval`) on the box of inputs within 1 % of the
  test's (of at least 1) hold what onnxruntime gives at --samples inputs of the box, to within what it rounds:
  2e-5 of the largest number for float32 (2^-8 for shorter types, 1e-9 for float64), and the same of 1. NaN
  counts as outside of finite bounds.

Each test has --seconds; they run in processes with at most --memory GiB. What is known is kept in --keep, one
line a test, and not tried again. Exit code: 0; 1 where bounds are not sound; 2 usage.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import re
import select
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.backend_cases import (  # noqa: E402  (the path comes first)
    FLOATS,
    Written,
    as_array,
    kind_of,
    spelled_out,
    taken_apart,
)

SHARE = 0.01  # of an input's size, at least 1, that it may vary by
ROUNDED = {"float32": 2e-5, "float64": 1e-9}
MANY = 1000  # outputs that are bounded by intervals only
FORMAT = 13  # the newest version of the file format that onnxruntime knows
START = 120.0  # seconds for a process to begin


def tests() -> list[Any]:
    """The node tests, by name."""
    from onnx.backend.test.case.node import collect_testcases

    from genbab.reader import opset_versions

    newest = opset_versions()[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = sorted((t for t in collect_testcases(None) if t.model), key=lambda t: t.name)
    for one in found:
        one.model.ir_version = min(one.model.ir_version, FORMAT)
        for opset in one.model.opset_import:
            opset.version = opset.version if opset.domain else min(opset.version, newest)
    return found


def judged(case: Any, samples: int) -> dict[str, Any]:
    """What came of one test."""
    from genbab.errors import GenbabError
    from genbab.reader import load_onnx

    given = [as_array(value) for value in case.data_sets[0][0]]
    names = [i.name for i in case.model.graph.input]
    held = {t.name for t in case.model.graph.initializer}
    kinds = [kind_of(i) for i in case.model.graph.input if i.name not in held]
    found: dict[str, Any] = {
        "name": case.name,
        "operators": sorted({n.op_type for n in case.model.graph.node}),
    }
    if len(kinds) != len(given):
        return found | {"run": False, "why": f"{len(given)} values for inputs {names}"}
    try:
        reals = _results(spelled_out(case.model, given, []))[: len(case.model.graph.output)]
    except Exception as error:  # onnxruntime has a class of its own for every failure
        return found | {"run": False, "why": _line(error)}
    if not any(_is_real(r) for r in reals):
        return found | {"run": False, "why": "no output of floating-point numbers"}
    floats = [i for i, (_, kind) in enumerate(kinds) if kind in FLOATS and _size(given[i])]
    for i in floats if len(floats) == 1 else range(len(given)) if not floats else ():
        given[i] = _finite(given[i])
    floats = [i for i in floats if _varies(given[i])]
    tries = [floats, *([i] for i in floats)] if floats else [[0], []] if _whole(kinds, given) else [[]]
    found |= {"run": True, "floats": len(floats)}
    for number, varying in enumerate(tries if len(floats) != 1 else tries[:1]):
        try:
            made = spelled_out(case.model, given, varying)
            taken_apart(made, _results(made)[: len(case.model.graph.output)])
            model = load_onnx(made.model)
        except GenbabError as error:
            found["why"] = _line(error)
        except Exception as error:  # a fault of the reader, or of onnxruntime on a model with inputs
            found["why"] = f"{type(error).__name__}: {_line(error)}"
        else:
            notes = [note for note in model.notes if "float16" not in note]
            return found | {"read": True, "all": not number, "notes": notes} | bounded(made, model, samples)
    return found | {"read": False}


def _is_real(result: Any) -> bool:
    parts = result if isinstance(result, list) else [result]
    return any(np.asarray(p).dtype.name in ("float16", "float32", "float64", "bfloat16") for p in parts)


def _parts(value: Any) -> list[Any]:
    parts = value if isinstance(value, (list, tuple)) else [value]
    return [np.asarray(p) for p in parts if p is not None]


def _size(value: Any) -> int:
    return sum(p.size for p in _parts(value))


def _finite(value: Any) -> Any:
    """The tensor with 1 in the places of what is not finite."""
    if isinstance(value, (list, tuple)) or value is None:
        return value
    made = np.asarray(value)
    return np.where(np.isfinite(made.astype(np.float64)), made, np.ones_like(made))


def _varies(value: Any) -> bool:
    return all(p.size and np.isfinite(p.astype(np.float64)).all() for p in _parts(value))


def _whole(kinds: Any, given: Any) -> bool:
    """Whether the first input is a tensor of integers or truth values."""
    return bool(given) and kinds[0][0] == "tensor" and given[0].size > 0 and given[0].dtype.kind in "iub"


def _line(error: Exception) -> str:
    problems = getattr(error, "problems", None)
    if problems:
        return "; ".join(sorted({f"{kind}: {reason}" for _, kind, reason in problems}))
    return " ".join(str(error).split())[:300] or type(error).__name__


def _results(made: Written) -> list[Any]:
    return _session(made).run(None, made.values)  # type: ignore[no-any-return]


def _session(made: Written) -> Any:
    from genbab.reader.onnx.runtime import session

    return session(made.model.SerializeToString())


def bounded(made: Written, model: Any, samples: int) -> dict[str, Any]:
    """Whether bounds around the test's inputs hold what onnxruntime gives there."""
    from genbab.api import bounds

    random, session = np.random.default_rng(0), _session(made)
    centre = np.concatenate([np.asarray(v).astype(np.float64).reshape(-1) for v in made.values.values()])
    whole = all(np.asarray(v).dtype.kind not in "f" for v in made.values.values())
    reach = np.zeros_like(centre) if whole else SHARE * np.maximum(1.0, np.abs(centre))
    method = "backward" if model.network.nodes[model.network.output].size <= MANY else "interval"
    low, high = (end[0].numpy() for end in bounds(model, centre - reach, centre + reach, method))
    found: list[Any] = []
    slack = np.zeros_like(low)
    for _ in range(samples):
        share = random.uniform(-1, 1, centre.size)
        point = centre + reach * (np.sign(share) if random.random() < 0.3 else share)
        outputs = [
            np.asarray(r)
            for r in session.run(None, _fed(made, np.clip(point, centre - reach, centre + reach)))
        ]
        found.append(np.concatenate([r.astype(np.float64).reshape(-1) for r in outputs]))
        kinds = [
            np.full(r.size, ROUNDED.get(r.dtype.name, 2**-8) if r.dtype.kind in "fV" else 0.0)
            for r in outputs
        ]
        size = np.nan_to_num(np.abs(found[-1]), nan=0.0, posinf=0.0, neginf=0.0).max(initial=1.0)
        slack = np.maximum(slack, np.concatenate(kinds) * size)
    seen = np.stack(found)
    if seen.shape[1] != low.size:
        return {"sound": False, "detail": f"{low.size} bounds of {seen.shape[1]} outputs"}
    lost = np.isnan(seen).any(0) & np.isfinite(low) & np.isfinite(high)
    with np.errstate(invalid="ignore"):
        off = np.nan_to_num(np.maximum(low - slack - seen, seen - high - slack), nan=0.0)
        off = np.where(np.isinf(seen), 0.0, off).max(0, initial=0.0)
    spread = np.ptp(np.nan_to_num(seen), axis=0)
    ratio = (high - low).max(initial=0.0) / max(spread.max(initial=0.0), 1e-9)
    return {
        "sound": not lost.any() and not (off > 0).any(),
        "detail": f"{int(lost.sum())} NaN inside, off by {off.max(initial=0.0):.3g}",
        "finite": bool(np.isfinite(low).all() and np.isfinite(high).all()),
        "ratio": float(ratio),
    }


def _fed(made: Written, point: Any) -> dict[str, Any]:
    feed, start = {}, 0
    for name, value in made.values.items():
        value = np.asarray(value)
        part = point[start : start + value.size].reshape(value.shape)
        near, far = part.astype(value.dtype), SHARE * np.maximum(1.0, np.abs(value.astype(np.float64)))
        inside = (
            np.abs(near.astype(np.float64) - value.astype(np.float64)) <= far
        )  # rounding may lead outside
        feed[name] = np.where(inside, near, value)
        start += value.size
    return feed


def work(samples: int, memory: int) -> None:
    """Judge the tests whose names come on stdin, one a line; a line of JSON for each."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (memory << 30, memory << 30))
    known = {t.name: t for t in tests()}
    warnings.simplefilter("ignore")
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            found = judged(known[line.strip()], samples)
        except Exception as error:  # a fault that must be seen
            found = {
                "name": line.strip(),
                "run": True,
                "read": False,
                "why": f"{type(error).__name__}: {error}",
            }
        print("\n" + json.dumps(found), flush=True)


class Judge:
    """A process that judges one test after the other, and is ended where it does not answer."""

    def __init__(self, words: argparse.Namespace) -> None:
        self.seconds = float(words.seconds)
        self.command = [sys.executable, __file__, "--work", "--samples", str(words.samples)]
        self.command += ["--memory", str(words.memory)]
        self.process: subprocess.Popen[bytes] | None = None
        self.rest = ""

    def ask(self, name: str) -> dict[str, Any]:
        """What came of a test."""
        if self.process is None:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            self._answer("ready", START)
        assert self.process.stdin is not None
        self.process.stdin.write(f"{name}\n".encode())
        self.process.stdin.flush()
        line = self._answer("{", self.seconds)
        if line:
            return dict(json.loads(line))
        return {"name": name, "run": True, "read": False, "why": f"no answer in {self.seconds:g} s, or ended"}

    def _answer(self, begins: str, seconds: float) -> str:
        assert self.process is not None and self.process.stdout is not None
        while True:
            *lines, self.rest = self.rest.split("\n")
            for line in lines:
                if line.startswith(begins):
                    return line
            ready, _, _ = select.select([self.process.stdout], [], [], seconds)
            text = os.read(self.process.stdout.fileno(), 1 << 16).decode() if ready else ""
            self.rest += text
            if not text:
                self.end()
                return ""

    def end(self) -> None:
        """End the process, if there is one."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process, self.rest = None, ""


def report(found: list[dict[str, Any]]) -> int:
    """Print the shares, what is refused and what is not sound; how many are not sound."""
    run = [f for f in found if f["run"]]
    read = [f for f in run if f.get("read")]
    whole = [f for f in read if f["all"]]
    bad = [f for f in read if not f.get("sound")]
    finite = [f for f in read if f.get("finite")]
    total = max(len(run), 1)
    print(f"{len(found)} tests, {len(run)} run with outputs of floating-point numbers; of these")
    print(f"  read           {len(read):5d}  {len(read) / total:7.2%}")
    print(f"  read with all  {len(whole):5d}  {len(whole) / total:7.2%}")
    print(f"  sound          {len(read) - len(bad):5d}, {len(bad)} not; {len(finite)} with finite bounds")
    ratios = sorted(f["ratio"] for f in finite)
    if ratios:
        print(
            f"  bounds wider than samples by {ratios[len(ratios) // 2]:.3g} (median), {ratios[-1]:.3g} (most)"
        )
    for what, some in (
        ("refused", [f for f in run if not f.get("read")]),
        ("not run", [f for f in found if not f["run"]]),
    ):
        groups = collections.Counter(re.sub(r"'[^']*'|\d+", "…", f["why"]) for f in some)
        print(f"\n{what}:")
        for why, number in groups.most_common():
            names = [f["name"] for f in some if re.sub(r"'[^']*'|\d+", "…", f["why"]) == why]
            print(f"  {number:4d}  {why[:180]}   ({', '.join(names[:3])})")
    for f in bad:
        print(f"NOT SOUND {f['name']}: {f.get('detail')}")
    return len(bad)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="tests whose names contain one of these (default: all)")
    parser.add_argument("--keep", type=Path, help="file of what is known, one line of JSON a test")
    parser.add_argument("--samples", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--memory", type=int, default=12, help="GiB of address space of a process")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.work:
        work(words.samples, words.memory)
        return 0
    lines = words.keep.read_text().splitlines() if words.keep and words.keep.exists() else []
    known = {f["name"]: f for f in map(json.loads, lines)}
    judge, found = Judge(words), []
    for case in tests():
        if words.names and not any(part in case.name for part in words.names):
            continue
        one = known.get(case.name) or judge.ask(case.name)
        if case.name not in known and words.keep:
            with words.keep.open("a") as file:
                file.write(json.dumps(one) + "\n")
        found.append(one)
    judge.end()
    return 1 if report(found) else 0


if __name__ == "__main__":
    sys.exit(main())
