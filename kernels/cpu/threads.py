"""Compiled loops in as many threads as torch uses.

The loops release the interpreter's lock, so plain threads do. A second OpenMP pool, numba's own, would fight
with torch's for the cores: every loop of it took a hundred microseconds where it should take one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import Any

import torch

SHARE = 1 << 16
"""Numbers that a thread takes at least: waking it costs as much as some ten thousand."""


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "kernels")


def spread(loop: Callable[..., None], rows: int, size: int, *args: Any) -> None:
    """loop(begin, end, *args) over 0 to `rows`, each of which takes about `size` numbers."""
    parts = min(torch.get_num_threads(), rows, rows * size // SHARE)
    if parts <= 1:
        loop(0, rows, *args)
        return
    cuts = [rows * i // parts for i in range(parts + 1)]
    pool = _pool(parts - 1, os.getpid())  # threads do not live on in a forked process
    others = [pool.submit(loop, *cut, *args) for cut in zip(cuts[1:-1], cuts[2:], strict=True)]
    loop(cuts[0], cuts[1], *args)
    wait(others)
    for one in others:
        one.result()
