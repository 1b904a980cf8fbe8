"""The live line on stderr while a run is under way; nothing at all when stderr is not a terminal."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

from genbab.result import Progress
from genbab.system.deadline import Deadline

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

SHOW_CURSOR = "\r\x1b[K\x1b[?25h"


def line(progress: Progress, rate: float, elapsed: float, limit: float | None) -> str:
    """One line of text: stage, bound, open domains, domains per second, time."""
    parts = [progress.stage]
    if progress.bound is not None:
        parts.append(f"bound {progress.bound:+.4g}")
    if progress.domains:
        parts.append(f"{progress.open:,} open")
        parts.append(f"{rate:,.0f} domains/s")
    parts.append(f"{elapsed:.1f} s" + ("" if limit is None else f" of {limit:g} s"))
    return "  ".join(parts)


class Display:
    """Shows the latest progress; use as a context manager."""

    def __init__(self, deadline: Deadline, enabled: bool) -> None:
        self.deadline, self.enabled = deadline, enabled
        self._live: Live | None = None
        self._latest = Progress("starting")
        self._first: tuple[float, int] | None = None

    def update(self, progress: Progress) -> None:
        """Take note of where the run stands; costs next to nothing."""
        if self._first is None and progress.domains:
            self._first = (self.deadline.elapsed(), progress.domains)
        self._latest = progress

    def __enter__(self) -> Display:
        if self.enabled:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(
                get_renderable=self._render,
                console=Console(stderr=True),
                refresh_per_second=5,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None
    ) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def abandon(self) -> None:
        """Leave the terminal usable when the process is about to end at once; waits for nobody for long."""
        live, self._live = self._live, None
        if live is not None:
            stopper = threading.Thread(target=live.stop, daemon=True)
            stopper.start()
            stopper.join(0.1)
            sys.stderr.write(SHOW_CURSOR)
            sys.stderr.flush()

    def _render(self) -> Text:
        from rich.text import Text

        now = self.deadline.elapsed()
        since, base = self._first or (now, 0)
        rate = (self._latest.domains - base) / (now - since) if now > since else 0.0
        return Text(line(self._latest, rate, now, self.deadline.seconds), overflow="ellipsis", no_wrap=True)
