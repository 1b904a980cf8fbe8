"""Hidden intervals by forward linear forms, outputs by backward passes."""

from __future__ import annotations

from genbab.bounds.methods.known import forward
from genbab.bounds.methods.method import Method

METHOD = Method(
    "crown-forward",
    ("forward+backward", "forward+crown"),
    "hidden intervals by forward linear forms, outputs by backward passes",
    forward.hidden,
    lambda steps: 0,
)
