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

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.backend_cases import tests  # noqa: E402  (the path comes first)
from benchmarks.backend_judged import judged  # noqa: E402

START = 120.0  # seconds for a process to begin


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
