"""The attack: searching inputs that violate a spec, and replaying them in onnxruntime.

Nothing found here counts until `Replayer.confirm` has replayed it.
"""

from genbab.attack.challenge import Challenge, Falsified
from genbab.attack.hunt import FULL, QUICK, AttackEffort, AttackOutcome
from genbab.attack.replay import Replayer
from genbab.attack.search import Attacker

__all__ = [
    "FULL",
    "QUICK",
    "AttackEffort",
    "AttackOutcome",
    "Attacker",
    "Challenge",
    "Falsified",
    "Replayer",
]
