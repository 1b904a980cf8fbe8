"""One run from attack to verdict: what it will do and why, its stages, and what it knows so far."""

from __future__ import annotations

from genbab.driver.run import Run
from genbab.driver.strategy import Strategy, strategy, unspecified

__all__ = ["Run", "Strategy", "strategy", "unspecified"]
