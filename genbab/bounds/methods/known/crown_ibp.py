"""Hidden intervals by interval arithmetic, outputs backwards (CROWN-IBP; Zhang et al., ICLR 2020)."""

from __future__ import annotations

from genbab.bounds.methods.known import interval
from genbab.bounds.methods.method import Method

METHOD = Method(
    "crown-ibp",
    ("ibp+backward",),
    "hidden intervals by interval arithmetic, outputs by backward passes (CROWN-IBP)",
    interval.hidden,
    lambda steps: 0,
)
