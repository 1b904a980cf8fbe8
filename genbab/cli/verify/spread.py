"""`--cluster` of `genbab verify` and `genbab resume`: who carries the search out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from genbab.cluster import ClusterAddress
from genbab.config import Config
from genbab.errors import UsageError


@dataclass(frozen=True)
class ClusterWords:
    """Where the cluster is, and how many of its cores search; None: all."""

    address: ClusterAddress
    workers: int | None

    @classmethod
    def of(cls, options: argparse.Namespace, config: Config) -> ClusterWords | None:
        """What a command line says; raises `UsageError` for words that make no sense."""
        if options.cluster is None:
            return None
        if config.deterministic:
            raise UsageError("--cluster: which worker gets what depends on the time: not --deterministic")
        if config.portfolio:
            raise UsageError("--cluster: its workers share one search: not --portfolio")
        if config.device != "cpu":
            raise UsageError(f"--cluster: one search is spread over cores, not --device {config.device}")
        return cls(
            ClusterAddress.of(options.cluster), None if options.set_workers is None else config.workers
        )


@contextmanager
def crew_of(words: ClusterWords | None, quiet: bool) -> Iterator[Callable[[Any], Any] | None]:
    """What makes the crew of a run on a cluster, while connected to it; None: this machine carries it out.

    Raises `UsageError` where there is no such cluster, or too few cores in it.
    """
    if words is None:
        yield None
        return
    from genbab.cluster.connection import connected
    from genbab.remote.team import remote_crew

    with connected(words.address) as connection:
        if not quiet:
            print(connection.told, file=sys.stderr, flush=True)
        yield remote_crew(connection, words.workers)
