"""Robustness of classifiers on samples: `certified_accuracy`, `certified_radius`, `compare`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genbab.api import load
from genbab.config import Config
from genbab.errors import UsageError
from genbab.nap import Pattern
from genbab.reader import Model
from genbab.studies import data as loaders
from genbab.studies.data import Samples, fitted, valid_range
from genbab.studies.engine import Follow, Job, answer_all, chosen_settings, packed
from genbab.studies.provenance import model_hash, text_hash
from genbab.studies.radius import norm_of, radius_of
from genbab.studies.results import (
    STATUS,
    CertifiedAccuracy,
    CertifiedRadius,
    Comparison,
    Radius,
    Sample,
)
from genbab.studies.store import Answer, Question, Study

SECONDS = 60.0
"""The time limit of a sample where the settings have none."""

TOLERANCE = 0.02


def certified_accuracy(  # noqa: PLR0913
    model: Any,
    x: Any,
    y: Any = None,
    eps: Any = None,
    norm: Any = "inf",
    *,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    preprocessing: Mapping[str, Any] | None = None,
    samples: int | None = None,
    timeout: float | None = None,
    config: Config | None = None,
    study: Study | str | Path | None = None,
    workers: int = 1,
    follow: Follow | None = None,
) -> CertifiedAccuracy:
    """For each sample whether the model is right, and stays right for every input within eps of it.

    model: whatever `load` takes; a torch module is traced with the first sample. x, y: arrays, tensors or
    lists, or as x a torch Dataset or DataLoader (see `samples` for how many of them). eps: a number or
    "8/255", in units of x. bounds: the valid range of x, to which balls are clipped. preprocessing: {"mean",
    "std", "axis"}, applied to x inside of the model. timeout: seconds per sample. study: a file that keeps
    every answer, from which the same call goes on after an interruption. workers: processes. Raises
    `UsageError`, `ModelError`, `ResourceError`.
    """
    data = loaders.samples(x, y, samples)
    asked = _Asked("robustness", radius_of(_given(eps)), norm_of(norm), valid_range(bounds))
    loaded = _load(model, data, preprocessing)
    return _accuracy(_name(model), loaded, data, asked, (_settings(config, timeout), study, workers, follow))


def compare(  # noqa: PLR0913
    models: Mapping[str, Any],
    x: Any,
    y: Any = None,
    eps: Any = None,
    norm: Any = "inf",
    *,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    preprocessing: Mapping[str, Any] | None = None,
    samples: int | None = None,
    timeout: float | None = None,
    config: Config | None = None,
    study: Study | str | Path | None = None,
    workers: int = 1,
    follow: Follow | None = None,
) -> Comparison:
    """`certified_accuracy` of several models, by name, on the same samples; arguments and errors as there."""
    if not isinstance(models, Mapping) or not models:
        raise UsageError('models: give them by name, as {"small": model, "large": "large.onnx"}')
    data = loaders.samples(x, y, samples)
    asked = _Asked("robustness", radius_of(_given(eps)), norm_of(norm), valid_range(bounds))
    loaded = {str(name): _load(model, data, preprocessing) for name, model in models.items()}
    how = (_settings(config, timeout), study, workers, follow)
    return Comparison({name: _accuracy(name, one, data, asked, how) for name, one in loaded.items()})


def certified_radius(  # noqa: PLR0913
    model: Any,
    x: Any,
    y: Any = None,
    largest: Any = 1.0,
    norm: Any = "inf",
    *,
    tolerance: float = TOLERANCE,
    patterns: Mapping[int, Pattern] | None = None,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    preprocessing: Mapping[str, Any] | None = None,
    samples: int | None = None,
    timeout: float | None = None,
    config: Config | None = None,
    study: Study | str | Path | None = None,
    workers: int = 1,
    follow: Follow | None = None,
) -> CertifiedRadius:
    """For each sample a radius within which the model is proved to stay right, and one at which it does not.

    Bisection up to `largest` until both are within `tolerance` (relative) of each other or the sample's
    timeout is up; it begins at the best of a grid of radii bounded together. patterns: what `genbab.nap`
    mined, by label; for samples of these classes only inputs that follow the pattern count. Other arguments
    as in `certified_accuracy`.
    """
    if not isinstance(tolerance, int | float) or not 1e-6 <= tolerance < 1:
        raise UsageError(f"tolerance = {tolerance!r}: must be from 1e-6 to below 1")
    data = loaders.samples(x, y, samples)
    top = radius_of(largest, "largest")
    if top == 0:
        raise UsageError("largest = 0: must be above 0")
    more, known = {"tolerance": float(tolerance)}, _patterns(patterns)
    asked = _Asked("radius", top, norm_of(norm), valid_range(bounds), more, known)
    loaded = _load(model, data, preprocessing)
    how = (_settings(config, timeout), study, workers, follow)
    answers = _answers(_name(model), loaded, data, asked, how)
    found = tuple(_radius(i, int(data.y[i]), answer) for i, answer in enumerate(answers))
    return CertifiedRadius(_name(model), asked.eps, asked.norm, found)


class _Asked:
    """What is asked about every sample."""

    def __init__(
        self,
        kind: str,
        eps: float,
        norm: str,
        valid: tuple[float, float] | None,
        more: Mapping[str, Any] | None = None,
        patterns: Mapping[int, Any] | None = None,
    ) -> None:
        self.kind, self.eps, self.norm, self.valid, self.more = kind, eps, norm, valid, more or {}
        self.patterns = patterns or {}

    def details(self, sample: int, label: int) -> dict[str, Any]:
        """The part of the question that depends on the sample."""
        limits = None if self.valid is None else list(self.valid)
        ball = {"eps": self.eps, "norm": self.norm, "bounds": limits}
        pattern = {"pattern": self.patterns[label]} if label in self.patterns else {}
        return {"sample": sample, "label": label, **ball, **self.more, **pattern}


_How = tuple[Config, Study | str | Path | None, int, Follow | None]


def _accuracy(name: str, model: Model, data: Samples, asked: _Asked, how: _How) -> CertifiedAccuracy:
    answers = _answers(name, model, data, asked, how)
    found = tuple(_sample(i, int(data.y[i]), answer) for i, answer in enumerate(answers))
    return CertifiedAccuracy(name, asked.eps, asked.norm, found)


def _answers(name: str, model: Model, data: Samples, asked: _Asked, how: _How) -> list[Answer]:
    config, study, workers, follow = how
    flat = fitted(data, model, asked.valid)
    known, settings = model_hash(model), chosen_settings(config)
    jobs = []
    for i, x in enumerate(flat):
        details = asked.details(i, int(data.y[i]))
        spec = f"sample {i}: class {details['label']} within {asked.eps:.6g} ({asked.norm})"
        hashes = (known, text_hash(packed(x)))
        question = Question(asked.kind, name, spec, *hashes, config.timeout, settings, details)
        jobs.append(Job(question, model, x))
    return answer_all(jobs, study, workers, follow)


def _sample(index: int, label: int, answer: Answer) -> Sample:
    status = STATUS.get(answer.verdict, "unknown")
    known = (answer.result.get("predicted"), status, answer.seconds, answer.bound)
    return Sample(index, label, *known, _why(answer), _found(answer))


def _radius(index: int, label: int, answer: Answer) -> Radius:
    wrong = answer.verdict == "misclassified"
    certified = float(answer.result.get("certified", 0.0))
    broken = 0.0 if wrong else answer.result.get("broken")
    known = (answer.result.get("predicted"), certified, broken, answer.seconds)
    return Radius(index, label, *known, _why(answer), _found(answer))


def _found(answer: Answer) -> NDArray[np.float32] | None:
    found = (answer.result.get("counterexample") or {}).get("x")
    return None if found is None else np.array(found, np.float32)


def _why(answer: Answer) -> str:
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


def _settings(config: Config | None, timeout: float | None) -> Config:
    config = Config.of(config)
    chosen = timeout if timeout is not None else config.timeout
    return replace(config, timeout=SECONDS if chosen is None else chosen)


def _load(model: Any, data: Samples, preprocessing: Mapping[str, Any] | None) -> Model:
    """The model; a torch module is given the first sample as its example."""
    example = None
    if isinstance(model, torch.nn.Module):
        weight = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
        example = torch.as_tensor(data.x[:1], dtype=weight.dtype, device=weight.device)
    return load(model, example, preprocessing)


def _name(model: Any) -> str:
    if isinstance(model, str | Path):
        return str(model)
    if isinstance(model, Model):
        return model.source
    return "the model" if isinstance(model, bytes) else type(model).__name__
