"""Whether two checkers agree on proofs of random statements about random networks.

What agreement means, with the same number of halvings for both:

- neither accepts a statement that is false at a point, evaluated exactly;
- what one rejects the other one rejects, too; else the one that rejects accepts the same proof once all
  limits are lower by `ROUNDING`, or with a few halvings more: the page leaves free how rows are weighed and
  which input is halved, and the rational checker tries its own slopes beside those of a hint. These are
  counted apart, with the halvings that were missing.

The proofs are genbab's own where it verifies the statement, and random trees with random hints.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from genbab import Config, prove
from genbab.check.failures import Rejected
from genbab.check.question import Limits, load
from genbab.check.tree import Check
from tests.check import rational
from tests.check.files import written
from tests.check.statements import Layers, Statement, layers, statement

ROUNDING, MORE = 1e-9, {"first": 3, "rational": 8}
MOST_BYTES = 1300  # of a proof: some dozens of splits
NONSENSE = (ValueError, IndexError, KeyError, TypeError, OverflowError)
Generator = np.random.Generator


class Compared(NamedTuple):
    """One proof: who made it, whether its statement is known to be false, and what came of it."""

    maker: str
    false: bool
    outcome: str
    finding: str


def compared(folder: Path, seed: int) -> Compared:
    """What two checkers say of a proof of this seed, made in a folder."""
    rng = np.random.default_rng(seed)
    net = layers(rng)
    said = statement(rng, net)
    model, spec, proof = (folder / name for name in ("m.onnx", "s.vnnlib", "proof"))
    model.write_bytes(net.file())
    spec.write_text(said.text())
    proof.unlink(missing_ok=True)
    maker = "genbab"
    if rng.random() < 0.6:
        prove(model, spec, proof, Config(timeout=20.0, seed=seed))
    if not proof.exists() or proof.stat().st_size > MOST_BYTES:
        maker = "random"
        hinted(rng, folder, net, said)
    halvings = int(rng.choice([0, 1, 2, 3], p=(0.5, 0.2, 0.2, 0.1)))
    outcome, finding = verdicts(folder, said, halvings)
    return Compared(maker, said.false, outcome, f"seed {seed}: {finding}" if finding else "")


def verdicts(folder: Path, said: Statement, halvings: int) -> tuple[str, str]:
    """What became of one proof in both checkers, and what is wrong with that."""
    ours, second = first(folder, halvings), exact(folder, halvings)
    if (ours or second) and said.false:
        return "false", f"accepted although it is false: {ours}, {second}"
    if ours == second:
        return "both accept" if ours else "both reject", ""
    rest, name = (first, "rational") if second else (exact, "first")
    later = next((k for k in range(1, MORE[name] + 1) if rest(folder, halvings + k)), None)
    if later:
        return f"{name} alone, both with {later} halvings more", ""
    with_spec(folder, said.text(ROUNDING))
    finding = "" if rest(folder, halvings) else f"only the {name} checker accepts"
    return f"{name} alone, but for rounding", finding


def first(folder: Path, halvings: int) -> bool:
    """Whether the checker of the package accepts."""
    try:
        Check(load(folder / "m.onnx", folder / "s.vnnlib", folder / "proof", Limits(halvings))).run()
    except Rejected:
        return False
    return True


def exact(folder: Path, halvings: int) -> bool:
    """Whether the rational checker accepts."""
    try:
        rational.Check(folder / "m.onnx", folder / "s.vnnlib", folder / "proof").run(halvings)
    except NONSENSE:
        return False
    return True


def counted(folder: Path, seeds: Iterable[int]) -> tuple[Counter[tuple[str, str, str]], list[str]]:
    """How often what came of proofs of these seeds, and what is wrong."""
    counts: Counter[tuple[str, str, str]] = Counter()
    findings = []
    for seed in seeds:
        one = compared(folder, seed)
        counts[one.maker, "false" if one.false else "open", one.outcome] += 1
        findings += [one.finding] if one.finding else []
    return counts, findings


def with_spec(folder: Path, text: str) -> None:
    """Put another specification in place of that of a proof."""
    (folder / "s.vnnlib").write_text(text)
    with zipfile.ZipFile(folder / "proof") as file:
        content = {name: file.read(name) for name in file.namelist()}
    head = json.loads(content["header.json"])
    head["specification"]["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    content["header.json"] = json.dumps(head).encode()
    with zipfile.ZipFile(folder / "proof", "w") as file:
        for name, data in content.items():
            file.writestr(name, data)


def hinted(rng: Generator, folder: Path, net: Layers, said: Statement) -> Path:
    """A proof of several boxes, random splits and random hints."""
    sizes = [len(b) for _, b in net.weights]
    names = [f"{letter}{i}" for i in range(len(net.kinds)) for letter in "za"]
    own = rng.random() < 0.3
    lower, upper = np.array(said.boxes if own else said.boxes[:1]).transpose(1, 0, 2)
    about: dict[str, Any] = {}
    arrays: dict[str, ArrayLike] = {}
    for k, rows in enumerate(said.rows if own else [], start=1):
        arrays[f"about/{k}.npy"] = np.array([a for a, _, _, _ in rows]) * rng.uniform(0.5, 2)
        if rng.random() < 0.7:
            about[str(k)] = {"rows": f"about/{k}.npy", "box": int(rng.integers(len(lower)))}
    splits, boxes = [], len(lower)
    leaves = list(range(boxes))
    for j in range(int(rng.choice([0, 1, 2, 4, 8]))):
        tensor = int(rng.integers(-1, len(names))) if rng.random() < 0.7 else -1
        width = sizes[tensor // 2] if tensor >= 0 else lower.shape[1]
        node, entry = leaves.pop(int(rng.integers(len(leaves)))), int(rng.integers(width))
        splits.append((node, tensor, entry, float(np.round(rng.normal() * 0.5, 3))))
        leaves += [boxes + 2 * j, boxes + 2 * j + 1]
    hints = [
        {"node": int(rng.integers(boxes + 2 * len(splits))), **hint(rng, sizes, arrays)}
        for _ in range(int(rng.integers(4)))
    ]
    ends = np.nextafter(lower, -np.inf), np.nextafter(upper, np.inf)
    return written(folder, *ends, splits, {"tensors": names, "hints": hints, "about": about}, arrays)


def hint(rng: Generator, sizes: list[int], arrays: dict[str, ArrayLike]) -> dict[str, Any]:
    """A hint of random slopes, for a tensor or for rows; its arrays are put among the others."""
    hidden, number = len(sizes) - 1, len(arrays)
    layer = int(rng.integers(1, hidden + 1))
    target = f"z{layer}" if layer < hidden else None
    most = 3 if sizes[-1] > 1 else 1  # rows of one output point alike, and any of them may be taken
    rows = sizes[layer] * 2 if target else int(rng.integers(1, most + 1))
    first, count = (0, rows) if target or rng.random() < 0.5 else (1, int(rng.integers(1, rows + 1)))
    named = "entries" if target else "rows"
    arrays[f"r{number}.npy"] = (
        np.arange(sizes[layer]) if target else rng.normal(size=(first + rows, sizes[-1]))
    )
    slopes = []
    for i in range(layer):
        shape = (1 if rng.random() < 0.3 else first + rows, sizes[i])
        arrays[f"s{number}/{i}.npy"] = rng.uniform(-0.1, 1.1, shape) * rng.choice([1, 1, 1, 3])
        slopes.append({"out": f"a{i}", "slopes": [f"s{number}/{i}.npy"], "upper": None})
        if rng.random() < 0.5:
            slopes[-1]["upper"] = f"u{number}/{i}.npy"
            arrays[f"u{number}/{i}.npy"] = rng.random(shape) < 0.5
    part = {"first": first, "count": count} if first else {}
    return {"target": target, named: f"r{number}.npy", "slopes": slopes, **part}
