"""The other side of a run: attacks on the property, doubts about a proof; onnxruntime judges both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from genbab.attack.hunt import Effort
from genbab.attack.replay import Replayer
from genbab.attack.search import Attacker
from genbab.config import Config
from genbab.deadline import Deadline
from genbab.device import resolve
from genbab.errors import DeadlineReached
from genbab.network import Network, evaluate
from genbab.reader import Model
from genbab.result import Counterexample
from genbab.specs import Spec

CHECKED_BOXES = 8
"""Boxes in which a proved network is compared with onnxruntime once more."""

REFINE_STEPS = 4
"""Gradient steps of a descent that starts inside the search."""


class Falsified(Exception):  # noqa: N818 - an event
    """A counterexample was confirmed."""

    def __init__(self, counterexample: Counterexample) -> None:
        super().__init__()
        self.counterexample = counterexample


class Challenge:
    """Attacks on one property of a model, and the network proved about compared with onnxruntime."""

    def __init__(
        self, model: Model, spec: Spec, network: Network, deadline: Deadline, config: Config
    ) -> None:
        self.spec, self.network, self.deadline, self.config = spec, network, deadline, config
        self.device = resolve(config.device)
        self.replayable = model.replayable
        self.replayer = Replayer(model)
        self.attacker = Attacker(network, spec, self.confirm, self.device, max(1 << 26, config.memory // 8))

    def confirm(self, x: np.ndarray) -> Counterexample | None:
        """The counterexample at x (D,), replayed, or None."""
        return self.replayer.confirm(self.spec, x)

    def attack(self, effort: Effort, clauses: Sequence[int] | None = None, share: float = 1.0) -> None:
        """Attack the clauses (default: all) for at most this share of the time that is left.

        The settings bound the effort's restarts and steps (no restarts: no attack) and give the seed. Raises
        `Falsified` or `DeadlineReached`.
        """
        config = self.config
        if not config.attack_restarts or not self.replayable:
            return
        bounded = replace(
            effort,
            restarts=min(effort.restarts, config.attack_restarts),
            steps=min(effort.steps, config.attack_steps),
            seed=config.seed,
        )
        left = self.deadline.left()
        limit = Deadline(share * left) if left < float("inf") else self.deadline
        try:
            self._judge(self.attacker.run(bounded, limit, clauses).counterexample)
        except DeadlineReached:
            self.deadline.check()

    def refine(self, points: Tensor, clauses: Sequence[int]) -> None:
        """Short descents from points (M, D), each towards its clause; raises like `attack`."""
        if not self.config.attack_restarts or not self.replayable:
            return
        found = self.attacker.refine(points.cpu().numpy(), clauses, REFINE_STEPS, self.deadline)
        self._judge(found.counterexample)

    def disagreement(self) -> str:
        """Why a proof cannot be trusted, or "": the network proved about against onnxruntime, inside the
        boxes.

        The check at load uses inputs of order 1; this one uses inputs of the property itself. "" for a model
        that onnxruntime cannot run: its notes say so.
        """
        if not self.replayable:
            return ""
        generator = torch.Generator().manual_seed(self.config.seed)
        count = min(CHECKED_BOXES, self.spec.lower.shape[0])
        low, high = (torch.from_numpy(end[:count, None].copy()) for end in (self.spec.lower, self.spec.upper))
        weight = torch.rand(count, 4, low.shape[-1], generator=generator, dtype=low.dtype)
        weight[:, 0] = 0.5
        points = (low + weight * (high - low)).reshape(-1, low.shape[-1]).float().double()
        ours = evaluate(self.network, points.to(self.device)).cpu()
        for x in points.numpy():
            self._judge(self.confirm(x))
        theirs = torch.stack([torch.as_tensor(self.replayer.replay(x, self.spec)) for x in points.numpy()])
        theirs, ours = theirs.double(), ours[..., : theirs.shape[-1]]
        allowed = 1e-3 * theirs.abs().amax(0) + 1e-5 * theirs.abs().max() + 1e-9
        if bool(((ours - theirs).abs() <= allowed).all()):
            return ""
        off = float((ours - theirs).abs().max())
        return (
            "the bounds are proved, but on inputs of the property the network as understood differs from "
            f"onnxruntime by up to {off:.3g}: float32 rounding may matter here, or the model was misread"
        )

    @staticmethod
    def _judge(found: Counterexample | None) -> None:
        if found is not None:
            raise Falsified(found)
