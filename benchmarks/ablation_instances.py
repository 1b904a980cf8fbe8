"""Instances that the root alone leaves open, made from the example networks and from lists of instances.

A family `digits_sin` asks whether test images keep their digit within a radius; the radius is found by
bisection so that the root alone proves 30 to 60 % of those images that no attack breaks. A family
`eran_sigmoid*1.05` is a list with every box enlarged about its centre. Both are written as ordinary lists
(model, VNN-LIB file), once.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from genbab import Config, verify
from genbab.api import load
from genbab.cli.many.instances import ListedInstance, read_instances
from genbab.errors import UsageError
from genbab.reader import Model
from genbab.specs import Spec, read_vnnlib, robustness, write_vnnlib

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
DIGITS = ("digits_sigmoid", "digits_tanh", "digits_sin", "digits_gelu", "digits_softplus")
WANTED = (0.3, 0.6)
ROUNDS = 8


def instances(family: str, folders: list[Path], output: Path, images: int) -> list[ListedInstance]:
    """The instances of a family by its name, made and written below `output` where they must be."""
    if family in DIGITS:
        folder = output / "instances" / f"{family}-{images}"
        if not (folder / "instances.csv").exists():
            make_digits(family, folder, images)
        return read_instances(folder / "instances.csv")
    name, _, factor = family.partition("*")
    found = next((f for f in folders if f.resolve().name == name), None)
    if found is None:
        raise UsageError(f"no family {family}: there are {', '.join([*DIGITS, *(f.name for f in folders)])}")
    listed = read_instances(found / "instances.csv")
    return listed if not factor else [enlarged(one, float(factor), output / "instances") for one in listed]


def enlarged(one: ListedInstance, factor: float, folder: Path) -> ListedInstance:
    """The instance with its boxes enlarged about their centres."""
    path = folder / f"{one.spec_path.name.split('.vnnlib')[0]}_x{factor:g}.vnnlib"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        spec = read_vnnlib(one.spec_path)
        centre, radius = (spec.lower + spec.upper) / 2, (spec.upper - spec.lower) / 2
        write_vnnlib(replace(spec, lower=centre - factor * radius, upper=centre + factor * radius), path)
    return replace(one, spec=path.name, spec_path=path)


def make_digits(name: str, folder: Path, images: int) -> None:
    """Write the properties of a digits classifier: `images` test images it gets right, one radius."""
    sys.path.insert(0, str(EXAMPLES))
    from train import digits

    path = EXAMPLES / "onnx" / f"{name}.onnx"
    model = load(path)
    _, test = digits()
    chosen = [k for k in range(len(test.labels)) if _right(model, test.images[k], int(test.labels[k]))][
        :images
    ]

    def specs(radius: float) -> list[Spec]:
        return [
            robustness(test.images[k].numpy(), int(test.labels[k]), 10, radius, (0.0, 1.0)) for k in chosen
        ]

    radius, said = bisected(model, specs)
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for k, spec, verdict in zip(chosen, specs(radius), said, strict=True):
        if verdict != "falsified":
            write_vnnlib(spec, folder / f"{name}_{k}.vnnlib")
            lines.append(f"{path},{name}_{k}.vnnlib,60\n")
    (folder / "radius.txt").write_text(f"{radius:g} {' '.join(said)}\n")
    (folder / "instances.csv").write_text("".join(lines))


def bisected(model: Model, specs: object) -> tuple[float, list[str]]:
    """(radius, verdict of the root per image): it proves a share within `WANTED` of what is not refuted."""
    assert callable(specs)
    low, high = 0.0, 0.2
    for _ in range(ROUNDS):
        radius = round((low + high) / 2, 5)
        said = [alone(model, spec) for spec in specs(radius)]
        share = said.count("verified") / max(1, len(said) - said.count("falsified"))
        print(
            f"radius {radius:g}: the root proves {share:.0%}, {said.count('falsified')} refuted", flush=True
        )
        if WANTED[0] <= share <= WANTED[1]:
            break
        low, high = (radius, high) if share > WANTED[1] else (low, radius)
    return radius, said


def alone(model: Model, spec: Spec) -> str:
    """The verdict without branching."""
    return str(verify(model, spec, Config(timeout=20.0, branching="none")).verdict)


def _right(model: Model, image: torch.Tensor, label: int) -> bool:
    from genbab.network import evaluate

    return int(np.argmax(evaluate(model.network, image.double()).numpy())) == label
