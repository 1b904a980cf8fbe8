"""Recurrent networks with gates, as torch has them."""

from __future__ import annotations

from torch import Tensor, nn

from zoo.data import digits
from zoo.family import Family, Recipe


class Recurrent(nn.Module):
    """Reads an image two rows at a time; the last state gives the scores."""

    def __init__(self, kind: type[nn.LSTM] | type[nn.GRU], hidden: int = 8) -> None:
        super().__init__()
        self.cell = kind(16, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 10)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.cell(x.reshape(-1, 4, 16))
        scores: Tensor = self.head(states[:, -1])
        return scores


FAMILIES = (
    Family(
        "lstm",
        "LSTM",
        "Hochreiter and Schmidhuber, Long short-term memory, Neural Computation 9(8), 1997",
        lambda: Recurrent(nn.LSTM),
        digits,
        Recipe(steps=1600),
    ),
    Family(
        "gru",
        "GRU",
        "Cho et al., Learning phrase representations using RNN encoder-decoder for statistical machine "
        "translation, EMNLP 2014 (arXiv 1406.1078)",
        lambda: Recurrent(nn.GRU),
        digits,
        Recipe(steps=1600),
    ),
)
