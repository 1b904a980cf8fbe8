"""Fit families of the zoo, export them, and write their properties: `python examples/zoo/train.py [NAME...]`.

For each: `onnx/NAME.onnx`, `vnnlib/NAME_holds.vnnlib`, `vnnlib/NAME_fails.vnnlib`, `records/NAME.json`. Of a
few unseen samples the one whose broken radius is the middle one is taken; an attack with many starts then
finds the least radius that it can break there. `holds` asks for 0.4 of it, `fails` for 1.1 times it, where
onnxruntime must confirm an input that breaks the claim. Nothing here proves that `holds` holds: that is the
verifier's part.
Seeds are fixed, yet another machine or version of torch may end in other weights: the committed files count.
Needs scikit-learn: pip install -e .[examples]
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from genbab.specs import Input, Network, Spec, all_of, always, format_vnnlib, linf
from zoo.catalogue import chosen
from zoo.family import Claim, Family, Recipe, Task
from zoo.files import FAILS, HOLDS, Files
from zoo.search import Question, broken, smallest_broken

SAMPLES, FEW, MANY = 7, 20, 200  # samples tried, starts of the attack on each, starts on the one taken


def fit(model: nn.Module, task: Task, recipe: Recipe) -> None:
    """Fit a module to its task, on noisy inputs so that small changes of them seldom matter."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.steps)
    for _ in range(recipe.steps):
        pick = torch.randint(len(task.inputs), (recipe.batch,))
        x = task.inputs[pick] + recipe.noise * torch.randn(recipe.batch, task.size)
        loss = task.loss(model, x, task.targets[pick])
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()


def export(model: nn.Module, size: int, path: Path) -> None:
    """Write a module as ONNX for one sample at a time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this exporter needs no further package; shapes are fixed
        torch.onnx.export(
            model,
            (torch.zeros(1, size),),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=["input"],
            output_names=["output"],
        )


def sample(model: nn.Module, task: Task) -> tuple[int, Claim]:
    """The unseen sample whose broken radius is the middle one of the first few where the claim is true."""
    radii: list[tuple[float, int, Claim]] = []
    for number, (x, truth) in enumerate(zip(task.unseen.double(), task.truths, strict=True)):
        outputs = model(x[None]).detach()[0]
        claim = task.claim(outputs, truth)
        if float(claim.room(outputs[None]).min()) > 0:
            radii.append((smallest_broken(Question(model, claim, x, task.clip), FEW), number, claim))
        if len(radii) == SAMPLES:
            break
    _, number, claim = sorted(radii, key=lambda found: found[:2])[len(radii) // 2]
    return number, claim


def property_of(claim: Claim, centre: Tensor, radius: float, clip: tuple[float, float]) -> Spec:
    """The claim about all inputs within `radius` of `centre`."""
    x = Input(len(centre))
    y = Network(claim.rows.shape[1])(x)
    kept = all_of(
        [y @ row.numpy() < float(limit) for row, limit in zip(claim.rows, claim.limits, strict=True)]
    )
    return always(kept, on=linf(x, centre.numpy(), f"{radius:.6g}", clip=clip))


def confirmed(files: Files, spec: Spec, point: Tensor) -> bool:
    """Whether onnxruntime says that the claim is false at this input, which lies in the box."""
    session = onnxruntime.InferenceSession(files.model, providers=["CPUExecutionProvider"])
    x = point.numpy().astype(np.float32)
    (y,) = session.run(None, {session.get_inputs()[0].name: x[None]})
    return spec.violation(x.astype(float), y.astype(float)) is not None


def make(family: Family) -> str:
    """Write all files of one family; says in a line what came out."""
    started, files, task = time.perf_counter(), Files(family.name), family.task()
    torch.manual_seed(family.recipe.seed)
    model = family.build()
    fit(model, task, family.recipe)
    model.eval().requires_grad_(False)
    loss = float(task.loss(model, task.unseen, task.truths))
    export(model, task.size, files.model)
    model.double()
    number, claim = sample(model, task)
    centre = task.unseen[number].double()
    asked = Question(model, claim, centre, task.clip)
    radius = smallest_broken(asked, MANY)
    point = broken(asked, 0.999 * FAILS * radius, MANY)
    for kind, part in (("holds", HOLDS), ("fails", FAILS)):
        spec = property_of(claim, centre, part * radius, task.clip)
        words = f"sample {number}: when no input changes by more than {part * radius:.6g}, {claim.words}"
        files.spec(kind).write_text(f"; {words}\n{format_vnnlib(spec)}")
    assert point is not None and confirmed(files, spec, point), f"{family.name}: `fails` is not known to fail"
    facts = {"sample": number, "claim": claim.words, "radius": float(f"{radius:.6g}"), "loss": round(loss, 4)}
    files.keep({**facts, "clip": task.clip, "centre": centre.tolist()})
    size, seconds = files.model.stat().st_size / 1000, time.perf_counter() - started
    return f"{family.name:24} loss {loss:.3f}, broken at {radius:.4g}, {size:.0f} kB, {seconds:.0f} s"


def main() -> None:
    """Make the families that are named, or all."""
    torch.set_num_threads(1)
    for family in chosen(sys.argv[1:]):
        print(make(family), flush=True)


if __name__ == "__main__":
    main()
