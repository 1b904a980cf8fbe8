"""Write the properties of the example networks to `examples/vnnlib`, and the list `examples/instances.csv`.

Each network gets one property meant to hold and one that a counterexample refutes.

Digits: no pixel change of at most eps makes the network prefer another digit. A gradient attack finds the
smallest eps (in steps of 1/200) that fools it; `violated` asks for a quarter more, `holds` for about half.
Controller: from a box of states, four closed-loop steps later, position and speed are within limits. `holds`
leaves a little room beyond what a dense grid of states reaches, `violated` takes a little away.
None of this proves that `holds` holds: that is the verifier's part.

    python examples/properties.py         # needs scikit-learn: pip install -e .[examples]
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from train import CLASSIFIERS, HERE, ControlledPlant, build, digits

TIMEOUT = 60
HOLDS, VIOLATED = 0.55, 1.25  # parts of the smallest eps that the attack breaks
ROOM = 0.02  # between the limits of the controller's properties and the states seen


def restore(model: nn.Module, path: Path) -> nn.Module:
    """`model` with the weights of the ONNX file that was exported from it."""
    stored = {tensor.name: tensor for tensor in onnx.load(path).graph.initializer}
    arrays = {name: numpy_helper.to_array(stored[name]) for name in model.state_dict()}
    model.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})
    return model.eval().requires_grad_(False)


def margin(model: nn.Module, x: Tensor, label: int) -> Tensor:
    """By how much the score of `label` leads, for each row of x (n, 64); negative: another digit leads."""
    scores: Tensor = model(x)
    others = scores.clone()
    others[:, label] = -torch.inf
    return scores[:, label] - others.max(1).values


def attack(model: nn.Module, image: Tensor, label: int, eps: float) -> bool:
    """True if gradient steps from 16 random starts find another digit within eps of `image` (64,)."""
    torch.manual_seed(0)
    lower, upper = (image - eps).clamp(0, 1), (image + eps).clamp(0, 1)
    x = lower + (upper - lower) * torch.rand(16, 64)
    for step in range(60):
        x.requires_grad_(True)
        value = margin(model, x, label)
        if (value < 0).any():
            return True
        (gradient,) = torch.autograd.grad(value.sum(), x)
        x = x.detach() - eps * 0.3 * 0.95**step * gradient.sign()
        x = x.clamp(lower, upper)
    return False


def smallest_broken_eps(model: nn.Module, image: Tensor, label: int) -> float:
    """The first eps of 1/200, 2/200, ... within which the attack succeeds."""
    return next(k / 200 for k in range(1, 200) if attack(model, image, label, k / 200))


def declarations(inputs: int, outputs: int) -> list[str]:
    """VNN-LIB declarations of the input and output variables."""
    names = [f"X_{i}" for i in range(inputs)] + [f"Y_{i}" for i in range(outputs)]
    return [f"(declare-const {name} Real)" for name in names]


def box(lower: Sequence[float], upper: Sequence[float]) -> list[str]:
    """VNN-LIB assertions that every input lies between its limits."""
    rows = []
    for i, (low, high) in enumerate(zip(lower, upper, strict=True)):
        rows += [f"(assert (>= X_{i} {low:.9g}))", f"(assert (<= X_{i} {high:.9g}))"]
    return rows


def either(conditions: Sequence[str]) -> str:
    """The VNN-LIB assertion that at least one of the conditions on the outputs is met: the unsafe set."""
    return "(assert (or\n" + "\n".join(f"    (and {condition})" for condition in conditions) + "\n))"


def write(name: str, comment: str, lines: Sequence[str]) -> None:
    """Write one property and say what it states in its first line."""
    (HERE / "vnnlib" / f"{name}.vnnlib").write_text("\n".join([f"; {comment}", *lines]) + "\n")
    print(f"{name:24} {comment}")


def write_digit_properties(name: str, number: int) -> None:
    """Both robustness properties of classifier `name`, around a test image that it classifies correctly."""
    model = restore(build(CLASSIFIERS[name]), HERE / "onnx" / f"{name}.onnx")
    _, test = digits()
    right = torch.nonzero(model(test.images).argmax(1) == test.labels).flatten()
    image, label = test.images[right[number]], int(test.labels[right[number]])
    broken = smallest_broken_eps(model, image, label)
    for kind, part in (("holds", HOLDS), ("violated", VIOLATED)):
        eps = round(part * broken, 3)
        pixels = image.double().numpy()
        limits = box(np.clip(pixels - eps, 0, 1).tolist(), np.clip(pixels + eps, 0, 1).tolist())
        unsafe = either([f"(>= Y_{other} Y_{label})" for other in range(10) if other != label])
        comment = f"test image {int(right[number])} stays a {label} when no pixel changes by more than {eps}"
        write(f"{name}_{kind}", comment, [*declarations(64, 10), *limits, unsafe])


def write_controller_properties() -> None:
    """Both properties of the controlled plant: limits on position and speed after its steps."""
    plant = restore(ControlledPlant(), HERE / "onnx" / "controller.onnx")
    lower, upper = [0.2, -0.3], [0.6, 0.3]
    axes = [torch.linspace(low, high, 201) for low, high in zip(lower, upper, strict=True)]
    reached = plant(torch.cartesian_prod(*axes))
    low, high = reached.min(0).values.tolist(), reached.max(0).values.tolist()
    for kind, room in (("holds", ROOM), ("violated", -ROOM)):
        far, fast = (round(value + room, 3) for value in high)
        slow = round(low[1] - room, 3)
        unsafe = either([f"(>= Y_0 {far})", f"(<= Y_1 {slow})", f"(>= Y_1 {fast})"])
        comment = f"after {plant.steps} steps the position is below {far}, the speed in ({slow}, {fast})"
        write(f"controller_{kind}", comment, [*declarations(2, 2), *box(lower, upper), unsafe])


def main() -> None:
    """Write all properties, and the list of instances in the format of VNN-COMP: model, property, seconds."""
    torch.set_num_threads(1)
    for number, name in enumerate(CLASSIFIERS):
        write_digit_properties(name, number)
    write_controller_properties()
    with (HERE / "instances.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        for name in (*CLASSIFIERS, "controller"):
            for kind in ("holds", "violated"):
                rows.writerow([f"onnx/{name}.onnx", f"vnnlib/{name}_{kind}.vnnlib", TIMEOUT])


if __name__ == "__main__":
    main()
