"""Which other settings a portfolio tries below the root, beside those of the plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from genbab.amounts import SMALLEST_MEMORY
from genbab.config import Config
from genbab.driver.strategy import SOME_INPUTS, Strategy
from genbab.errors import UsageError


@dataclass(frozen=True)
class Rival:
    """Settings that differ from the plan's; none: an attack without end. name: what is other, for people."""

    name: str
    changes: dict[str, Any] = field(default_factory=dict)

    def settings(self, config: Config) -> Config:
        """The settings of one process of its own, with its part of the memory."""
        memory = max(SMALLEST_MEMORY, config.memory // (config.workers or 1))
        return config.with_(workers=1, portfolio=False, memory=memory, **self.changes)


ATTACK = Rival("attack only")


def check_portfolio(config: Config, proved: bool) -> None:
    """Raises `UsageError` where there can be no portfolio; proved: a proof is to be written."""
    if not config.portfolio:
        return
    wrong = []
    if config.workers == 1:
        wrong.append("workers = 1 leaves nobody to search with other settings: use 2 or more")
    if config.branching == "none":
        wrong.append("branching = none leaves nothing to search: use another one")
    if config.deterministic:
        wrong.append("searches that race are not deterministic: use one of both")
    if proved:
        wrong.append("a proof is the record of one search: leave out the proof or the portfolio")
    if wrong:
        raise UsageError("portfolio: " + "; ".join(wrong))


def rivals(plan: Strategy, config: Config) -> list[Rival]:
    """The other settings that are tried, by at most half of the workers; none without a portfolio."""
    if not config.portfolio or plan.splits == "none":
        return []
    found = [rival for rival in _others(plan) if _differs(rival, plan, config)]
    if not config.attack_restarts:
        found.remove(ATTACK)
    return found[: (config.workers or 1) // 2]


def _others(plan: Strategy) -> list[Rival]:
    """Other settings, the most promising first (docs/howto/portfolio.md says what was seen).

    Settings that the search as planned takes turns with, as no regions, or that cost nothing but luck, come
    last.
    """
    neurons = Rival("neurons split", {"branching": "neuron"})
    either = Rival("neurons or inputs split", {"branching": "mixed"})
    inputs = Rival("inputs split", {"branching": "input"})
    score = Rival("neurons split, by babsr", {"branching": "neuron", "branching_score": "babsr"})
    clipped = Rival("neurons split, no regions", {"branching": "neuron", "retighten": "clipped"})
    if plan.varying > SOME_INPUTS:
        return [ATTACK, score, either, clipped, neurons]
    return [either, ATTACK, inputs, neurons, score, clipped]


def _differs(rival: Rival, plan: Strategy, config: Config) -> bool:
    """Whether the settings differ from those of the plan, if only by an attack without end."""
    same = {
        "branching": plan.splits,
        "retighten": plan.retighten,
        "branching_score": config.branching_score,
    }
    return rival is ATTACK or any(same[name] != value for name, value in rival.changes.items())
