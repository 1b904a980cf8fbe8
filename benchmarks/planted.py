"""Search for wrong proofs: `python benchmarks/planted.py --count 2000`.

Every case is a random small network over all functions, products and gates, a box, and a specification whose
unsafe set holds the image of one point of that box by a tiny margin (`tests/soundness/test_planted.py`). The
attack is switched off, so bounds and branching stand alone; what is split, by which score, where, and how
hidden intervals are tightened is drawn for each case. `verified` is wrong.

Exit code: 0; 1 when a planted counterexample was lost or a run failed; 2 usage.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from genbab import Config, config, verify
from genbab.reader import load_onnx
from tests.soundness.graphs import random_box, random_network, to_onnx
from tests.soundness.test_planted import planted

DRAWN = {
    "branching": config.Branching,
    "branching_score": config.Score,
    "branching_point": config.Points,
    "retighten": config.Retighten,
}


def settings(seed: int, seconds: float) -> Config:
    """Random settings of the search; no attack."""
    random = np.random.default_rng(seed)
    chosen: dict[str, Any] = {name: str(random.choice(get_args(kind))) for name, kind in DRAWN.items()}
    return Config(timeout=seconds, attack_restarts=0, **chosen)


def tried(seed: int, seconds: float) -> tuple[int, str, int, str]:
    """(seed, verdict, domains, settings) of one case."""
    torch.set_num_threads(1)
    network = random_network(seed, inputs=1 + seed % 4, depth=1 + seed % 5)
    low, high = random_box(seed, network.input_size)
    chosen = settings(seed, seconds)
    words = " ".join(str(getattr(chosen, name)) for name in DRAWN)
    try:
        result = verify(load_onnx(to_onnx(network)), planted(network, low, high, seed), chosen)
    except Exception as error:
        return seed, f"error {type(error).__name__}: {error}", 0, words
    return seed, str(result.verdict), int(result.statistics.get("domains", 0)), words


def count(results: Iterable[tuple[int, str, int, str]]) -> Counter[str]:
    """Verdicts, wrong ones printed as they come."""
    seen: Counter[str] = Counter()
    for seed, verdict, domains, words in results:
        kind = verdict.split()[0]
        seen[kind] += 1
        seen["domains"] += domains
        if kind in ("verified", "error"):
            print(f"!! seed {seed} ({words}): {verdict}", flush=True)
    return seen


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Search for proofs of what a planted point refutes.")
    parser.add_argument("--count", type=int, default=2000, help="random networks (default 2000)")
    parser.add_argument("--seed", type=int, default=0, help="the first one's seed (default 0)")
    parser.add_argument("--seconds", type=float, default=1.0, help="limit for each (default 1)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    options = parser.parse_args()
    begun = time.monotonic()
    with ProcessPoolExecutor(options.workers) as pool:
        seeds = range(options.seed, options.seed + options.count)
        seen = count(pool.map(partial(tried, seconds=options.seconds), seeds, chunksize=8))
    print(f"seeds {options.seed} to {options.seed + options.count - 1}, {time.monotonic() - begun:.0f} s:")
    print("  ".join(f"{name} {number}" for name, number in sorted(seen.items())))
    return 1 if seen["verified"] or seen["error"] else 0


if __name__ == "__main__":
    sys.exit(main())
