"""The data that families are fitted to: sets that ship inside scikit-learn, scaled to [0, 1]."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from torch import Tensor

from zoo.family import Task, cross_entropy, keeps_class, squared_error, stays_within


def digits(size: int = 8) -> Task:
    """Images of digits, 8 x 8 or averaged to 4 x 4 pixels, row by row, and which digit it is."""
    images, labels = load_digits(return_X_y=True)
    part = 8 // size
    small = (images / 16).reshape(-1, size, part, size, part).mean((2, 4)).reshape(-1, size * size)
    return _classes(small, labels, f"digits, {size} x {size} pixels", 1400)


def cancer() -> Task:
    """Thirty measurements of cells, and whether they are benign."""
    x, y = load_breast_cancer(return_X_y=True)
    return _classes(_unit(x), y, "breast cancer, 30 measurements", 400)


def diabetes(room: float = 0.1) -> Task:
    """Ten measurements of a patient, and the progression of the disease a year later, in [0, 1]."""
    x, y = load_diabetes(return_X_y=True)
    first, last, *truths = _halves(_unit(x), _unit(y[:, None]).astype(np.float32), 300)
    about, asked = "diabetes, 10 measurements", f"the change of the output, at most {room:g}"
    return Task(
        about, asked, first, truths[0], last, truths[1], squared_error, stays_within(room), (0.0, 1.0)
    )


def _classes(x: np.ndarray, y: np.ndarray, about: str, train: int) -> Task:
    first, last, *labels = _halves(x, y.astype(np.int64), train)
    asked = "the lead of the true class over every other"
    return Task(about, asked, first, labels[0], last, labels[1], cross_entropy, keeps_class, (0.0, 1.0))


def _halves(x: np.ndarray, y: np.ndarray, train: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Inputs to fit and unseen ones, then their targets, in a fixed shuffled order."""
    order = np.random.default_rng(0).permutation(len(y))
    inputs, targets = torch.tensor(x[order], dtype=torch.float32), torch.tensor(y[order])
    return inputs[:train], inputs[train:], targets[:train], targets[train:]


def _unit(x: np.ndarray) -> np.ndarray:
    low, high = x.min(0), x.max(0)
    return np.asarray(np.round((x - low) / (high - low), 4))
