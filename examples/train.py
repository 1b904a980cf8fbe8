"""Train the six example networks and write them to `examples/onnx` (about half a minute on one core).

Five classifiers of scikit-learn's 8x8 digits (64 inputs in [0, 1], 10 scores), one per smooth activation, and
one controlled system: a bilinear plant, in which state times control appears, unrolled with its controller.
Seeds are fixed, yet another machine or torch version may end in other weights: the committed files count.

    python examples/train.py              # needs scikit-learn: pip install -e .[examples]
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

HERE = Path(__file__).resolve().parent
OPSET = 17
TRAINING_IMAGES = 1400


class Sine(nn.Module):
    """sin(x), elementwise."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x)


class Classifier(NamedTuple):
    """What makes one digit classifier: its activation and the widths of its hidden layers."""

    activation: Callable[[], nn.Module]
    widths: tuple[int, ...]


CLASSIFIERS = {
    "digits_sigmoid": Classifier(nn.Sigmoid, (48, 48)),
    "digits_tanh": Classifier(nn.Tanh, (40, 40, 40)),
    "digits_sin": Classifier(Sine, (48, 32)),
    "digits_gelu": Classifier(nn.GELU, (48, 48)),
    "digits_softplus": Classifier(nn.Softplus, (40, 40, 40)),
}


class Digits(NamedTuple):
    """Images in [0, 1], one row of 64 pixels each, and their digits."""

    images: Tensor  # (n, 64) float32
    labels: Tensor  # (n,) int64


def digits() -> tuple[Digits, Digits]:
    """The training and the test half of scikit-learn's digits, in a fixed shuffled order."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    x = torch.tensor(images[order] / 16, dtype=torch.float32)
    y = torch.tensor(labels[order], dtype=torch.int64)
    n = TRAINING_IMAGES
    return Digits(x[:n], y[:n]), Digits(x[n:], y[n:])


def build(classifier: Classifier) -> nn.Sequential:
    """An untrained fully connected network, 64 inputs to 10 scores."""
    layers: list[nn.Module] = []
    width = 64
    for next_width in classifier.widths:
        layers += [nn.Linear(width, next_width), classifier.activation()]
        width = next_width
    return nn.Sequential(*layers, nn.Linear(width, 10))


def train_classifier(classifier: Classifier, data: Digits, steps: int = 1500) -> nn.Sequential:
    """A classifier fitted to noisy images, so that small changes of the pixels seldom change its mind."""
    torch.manual_seed(0)
    model = build(classifier)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        pick = torch.randint(len(data.labels), (256,))
        noisy = data.images[pick] + 0.15 * torch.randn(256, 64)
        loss = nn.functional.cross_entropy(model(noisy), data.labels[pick])
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
    return model.eval()


class ControlledPlant(nn.Module):
    """State (B, 2) of a bilinear plant after `steps` Euler steps under its neural controller.

    p' = v,  v' = p + (1 - p/2) u,  u = 3 tanh-network(p, v): the push of the actuator fades as the position
    grows, so the state multiplies the control; without control the plant runs away from the origin.
    """

    def __init__(self, steps: int = 4, dt: float = 0.15, width: int = 24) -> None:
        super().__init__()
        self.steps, self.dt = steps, dt
        self.controller = nn.Sequential(
            nn.Linear(2, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1), nn.Tanh()
        )

    def step(self, state: Tensor) -> Tensor:
        """The state one time step later."""
        position, speed = state[:, :1], state[:, 1:]
        control = 3 * self.controller(state)
        acceleration = position + control - 0.5 * position * control
        return torch.cat([position + self.dt * speed, speed + self.dt * acceleration], dim=1)

    def forward(self, state: Tensor) -> Tensor:
        for _ in range(self.steps):
            state = self.step(state)
        return state


def train_controller(steps: int = 600, horizon: int = 30) -> ControlledPlant:
    """A plant whose controller brings random states in [-0.6, 0.6]^2 to the origin at little cost."""
    torch.manual_seed(0)
    plant = ControlledPlant()
    optimiser = torch.optim.Adam(plant.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        state = 1.2 * torch.rand(128, 2) - 0.6
        cost = torch.zeros(())
        for _ in range(horizon):
            cost = cost + (state**2).sum(1).mean() + 0.01 * (plant.controller(state) ** 2).mean()
            state = plant.step(state)
        optimiser.zero_grad()
        torch.autograd.backward(cost)
        nn.utils.clip_grad_norm_(plant.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return plant.eval()


def export(model: nn.Module, inputs: int, path: Path) -> None:
    """Write `model` as ONNX with a free batch dimension and plain operators."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # this exporter needs no further package
        torch.onnx.export(
            model,
            (torch.zeros(1, inputs),),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}},
        )


def main() -> None:
    """Train and export all six networks; print the accuracy on unseen images, and the state reached."""
    torch.set_num_threads(1)
    train, test = digits()
    for name, classifier in CLASSIFIERS.items():
        model = train_classifier(classifier, train)
        hits = (model(test.images).argmax(1) == test.labels).float().mean().item()
        path = HERE / "onnx" / f"{name}.onnx"
        export(model, 64, path)
        print(f"{name:16} {hits:6.1%} of unseen images right, {path.stat().st_size / 1000:.0f} kB")
    plant = train_controller()
    path = HERE / "onnx" / "controller.onnx"
    export(plant, 2, path)
    corners = torch.tensor([[0.6, 0.6], [0.6, -0.6], [-0.6, 0.6], [-0.6, -0.6]])
    with torch.no_grad():
        for _ in range(10):
            corners = plant(corners)
    left = f"{corners.abs().max():6.3f} from the origin after 40 steps"
    print(f"{'controller':16} {left}, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
