"""Robustness of classifiers on samples: `certified_accuracy`, `certified_radius`, `compare`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Integral
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch
from numpy.typing import NDArray

from genbab.api import load
from genbab.errors import UsageError
from genbab.nap import Pattern
from genbab.reader import Model
from genbab.studies import data as loaders
from genbab.studies.data import Samples, fitted, valid_range
from genbab.studies.options import RadiusOptions, SampleOptions, Work, taking
from genbab.studies.radius import norm_of, radius_of
from genbab.studies.records.provenance import model_hash, text_hash
from genbab.studies.records.questions import StudyAnswer, StudyQuestion
from genbab.studies.results import (
    STATUS,
    CertifiedAccuracy,
    CertifiedRadius,
    Comparison,
    Radius,
    Sample,
)
from genbab.studies.work.engine import chosen_settings
from genbab.studies.work.jobs import Job, packed


@taking(SampleOptions)
def certified_accuracy(
    model: Any, x: Any, y: Any = None, eps: Any = None, norm: Any = "inf", **options: Unpack[SampleOptions]
) -> CertifiedAccuracy:
    """For each sample whether the model is right, and stays right for every input within eps of it.

    model: whatever `load` takes; a torch module is traced with the first sample. x (B, ...), y (B,): arrays,
    tensors or lists, or as x a torch Dataset or DataLoader. eps: a number or "8/255", in units of x. norm:
    "inf", "2" or "1". options: bounds, preprocessing, samples, timeout, config, study, workers, follow, as
    `genbab.studies.options.SampleOptions` says. Raises `UsageError`, `ModelError`, `ResourceError`.
    """
    data, asked = _asked("robustness", (x, y), radius_of(_given(eps)), norm, options)
    loaded = _load(model, data, options["preprocessing"])
    return _accuracy(_name(model), loaded, data, asked, Work.of(options))


@taking(SampleOptions)
def compare(
    models: Mapping[str, Any],
    x: Any,
    y: Any = None,
    eps: Any = None,
    norm: Any = "inf",
    **options: Unpack[SampleOptions],
) -> Comparison:
    """`certified_accuracy` of several models, by name, on the same samples; arguments and errors as there."""
    if not isinstance(models, Mapping) or not models:
        raise UsageError('models: give them by name, as {"small": model, "large": "large.onnx"}')
    data, asked = _asked("robustness", (x, y), radius_of(_given(eps)), norm, options)
    loaded = {str(name): _load(model, data, options["preprocessing"]) for name, model in models.items()}
    work = Work.of(options)
    return Comparison({name: _accuracy(name, one, data, asked, work) for name, one in loaded.items()})


@taking(RadiusOptions)
def certified_radius(
    model: Any,
    x: Any,
    y: Any = None,
    largest: Any = 1.0,
    norm: Any = "inf",
    **options: Unpack[RadiusOptions],
) -> CertifiedRadius:
    """For each sample a radius within which the model is proved to stay right, and one at which it does not.

    Bisection up to `largest` until both are within the option `tolerance` (relative) of each other or the
    sample's timeout is up; it begins at the best of a grid of radii bounded together. Another option more
    than in `certified_accuracy` is patterns: what `genbab.nap` mined, by label; for samples of these classes
    only inputs that follow the pattern count. Other arguments and errors as there.
    """
    tolerance = options["tolerance"]
    if not isinstance(tolerance, int | float) or not 1e-6 <= tolerance < 1:
        raise UsageError(f"tolerance = {tolerance!r}: must be from 1e-6 to below 1")
    top = radius_of(largest, "largest")
    if top == 0:
        raise UsageError("largest = 0: must be above 0")
    data, asked = _asked("radius", (x, y), top, norm, options)
    asked = replace(asked, more={"tolerance": float(tolerance)}, patterns=_patterns(options["patterns"]))
    loaded = _load(model, data, options["preprocessing"])
    answers = _answers(_name(model), loaded, data, asked, Work.of(options))
    found = tuple(_radius(i, int(data.y[i]), answer) for i, answer in enumerate(answers))
    return CertifiedRadius(_name(model), asked.eps, asked.norm, found)


@dataclass(frozen=True)
class _Asked:
    """What is asked about every sample."""

    kind: str
    eps: float
    norm: str
    valid: tuple[float, float] | None
    more: Mapping[str, Any] = field(default_factory=dict)
    patterns: Mapping[int, Any] = field(default_factory=dict)

    def details(self, sample: int, label: int) -> dict[str, Any]:
        """The part of the question that depends on the sample."""
        limits = None if self.valid is None else list(self.valid)
        ball = {"eps": self.eps, "norm": self.norm, "bounds": limits}
        pattern = {"pattern": self.patterns[label]} if label in self.patterns else {}
        return {"sample": sample, "label": label, **ball, **self.more, **pattern}


def _asked(
    kind: str, pairs: tuple[Any, Any], eps: float, norm: Any, options: SampleOptions
) -> tuple[Samples, _Asked]:
    """The samples, and what is asked about each."""
    data = loaders.samples(*pairs, options["samples"])
    return data, _Asked(kind, eps, norm_of(norm), valid_range(options["bounds"]))


def _accuracy(name: str, model: Model, data: Samples, asked: _Asked, work: Work) -> CertifiedAccuracy:
    answers = _answers(name, model, data, asked, work)
    found = tuple(_sample(i, int(data.y[i]), answer) for i, answer in enumerate(answers))
    return CertifiedAccuracy(name, asked.eps, asked.norm, found)


def _answers(name: str, model: Model, data: Samples, asked: _Asked, work: Work) -> list[StudyAnswer]:
    flat = fitted(data, model, asked.valid)
    known, settings = model_hash(model), chosen_settings(work.config)
    jobs = []
    for i, x in enumerate(flat):
        details = asked.details(i, int(data.y[i]))
        spec = f"sample {i}: class {details['label']} within {asked.eps:.6g} ({asked.norm})"
        hashes = (known, text_hash(packed(x)))
        question = StudyQuestion(asked.kind, name, spec, *hashes, work.config.timeout, settings, details)
        jobs.append(Job(question, model, x))
    return work.answers(jobs)


def _sample(index: int, label: int, answer: StudyAnswer) -> Sample:
    status = STATUS.get(answer.verdict, "unknown")
    known = (answer.result.get("predicted"), status, answer.seconds, answer.bound)
    return Sample(index, label, *known, _why(answer), _found(answer))


def _radius(index: int, label: int, answer: StudyAnswer) -> Radius:
    wrong = answer.verdict == "misclassified"
    certified = float(answer.result.get("certified", 0.0))
    broken = 0.0 if wrong else answer.result.get("broken")
    known = (answer.result.get("predicted"), certified, broken, answer.seconds)
    return Radius(index, label, *known, _why(answer), _found(answer))


def _found(answer: StudyAnswer) -> NDArray[np.float32] | None:
    found = (answer.result.get("counterexample") or {}).get("x")
    return None if found is None else np.array(found, np.float32)


def _why(answer: StudyAnswer) -> str:
    return f"error: {answer.reason}; try again" if answer.verdict == "error" else answer.reason


def _patterns(given: Mapping[int, Pattern] | None) -> dict[int, Any]:
    """Patterns by label, as the study keeps them."""
    wrong = given is not None and (
        not isinstance(given, Mapping)
        or any(not isinstance(k, Integral) or not isinstance(p, Pattern) for k, p in given.items())
    )
    if wrong:
        raise UsageError("patterns: give them by label, as genbab.nap.mine does: {3: pattern, ...}")
    return {int(label): pattern.to_dict() for label, pattern in (given or {}).items()}


def _given(eps: Any) -> Any:
    if eps is None:
        raise UsageError('eps is missing: a number in units of x, or a text as "8/255"')
    return eps


def _load(model: Any, data: Samples, preprocessing: Mapping[str, Any] | None) -> Model:
    """The model; a torch module is given the first sample as its example."""
    example = None
    if isinstance(model, torch.nn.Module):
        data.check_kind(whole=False)
        weight = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
        example = torch.as_tensor(data.x[:1], dtype=weight.dtype, device=weight.device)
    return load(model, example, preprocessing)


def _name(model: Any) -> str:
    if isinstance(model, str | Path):
        return str(model)
    if isinstance(model, Model):
        return model.source
    return "the model" if isinstance(model, bytes) else type(model).__name__
