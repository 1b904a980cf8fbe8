"""What comes of one of ONNX's node tests: whether it runs and is read, and whether its bounds hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.backend_cases import FLOATS, Written, as_array, kind_of, spelled_out, taken_apart

SHARE = 0.01  # of an input's size, at least 1, that it may vary by
ROUNDED = {"float32": 2e-5, "float64": 1e-9}
MANY = 1000  # outputs that are bounded by intervals only


def judged(case: Any, samples: int) -> dict[str, Any]:
    """What came of one test."""
    from genbab.errors import GenbabError
    from genbab.reader import load_onnx

    given = [as_array(value) for value in case.data_sets[0][0]]
    names = [i.name for i in case.model.graph.input]
    held = {t.name for t in case.model.graph.initializer}
    kinds = [kind_of(i) for i in case.model.graph.input if i.name not in held]
    found: dict[str, Any] = {
        "name": case.name,
        "operators": sorted({n.op_type for n in case.model.graph.node}),
    }
    if len(kinds) != len(given):
        return found | {"run": False, "why": f"{len(given)} values for inputs {names}"}
    try:
        reals = _results(spelled_out(case.model, given, []))[: len(case.model.graph.output)]
    except Exception as error:  # onnxruntime has a class of its own for every failure
        return found | {"run": False, "why": _line(error)}
    if not any(_is_real(r) for r in reals):
        return found | {"run": False, "why": "no output of floating-point numbers"}
    floats = [i for i, (_, kind) in enumerate(kinds) if kind in FLOATS and _size(given[i])]
    for i in floats if len(floats) == 1 else range(len(given)) if not floats else ():
        given[i] = _finite(given[i])
    floats = [i for i in floats if _varies(given[i])]
    tries = [floats, *([i] for i in floats)] if floats else [[0], []] if _whole(kinds, given) else [[]]
    found |= {"run": True, "floats": len(floats)}
    for number, varying in enumerate(tries if len(floats) != 1 else tries[:1]):
        try:
            made = spelled_out(case.model, given, varying)
            taken_apart(made, _results(made)[: len(case.model.graph.output)])
            model = load_onnx(made.model)
        except GenbabError as error:
            found["why"] = _line(error)
        except Exception as error:  # a fault of the reader, or of onnxruntime on a model with inputs
            found["why"] = f"{type(error).__name__}: {_line(error)}"
        else:
            notes = [note for note in model.notes if "float16" not in note]
            return found | {"read": True, "all": not number, "notes": notes} | bounded(made, model, samples)
    return found | {"read": False}


def _is_real(result: Any) -> bool:
    parts = result if isinstance(result, list) else [result]
    return any(np.asarray(p).dtype.name in ("float16", "float32", "float64", "bfloat16") for p in parts)


def _parts(value: Any) -> list[Any]:
    parts = value if isinstance(value, (list, tuple)) else [value]
    return [np.asarray(p) for p in parts if p is not None]


def _size(value: Any) -> int:
    return sum(p.size for p in _parts(value))


def _finite(value: Any) -> Any:
    """The tensor with 1 in the places of what is not finite."""
    if isinstance(value, (list, tuple)) or value is None:
        return value
    made = np.asarray(value)
    return np.where(np.isfinite(made.astype(np.float64)), made, np.ones_like(made))


def _varies(value: Any) -> bool:
    return all(p.size and np.isfinite(p.astype(np.float64)).all() for p in _parts(value))


def _whole(kinds: Any, given: Any) -> bool:
    """Whether the first input is a tensor of integers or truth values."""
    return bool(given) and kinds[0][0] == "tensor" and given[0].size > 0 and given[0].dtype.kind in "iub"


def _line(error: Exception) -> str:
    problems = getattr(error, "problems", None)
    if problems:
        return "; ".join(sorted({f"{kind}: {reason}" for _, kind, reason in problems}))
    return " ".join(str(error).split())[:300] or type(error).__name__


def _results(made: Written) -> list[Any]:
    return _session(made).run(None, made.values)  # type: ignore[no-any-return]


def _session(made: Written) -> Any:
    from genbab.reader.onnx.runtime import session

    return session(made.model.SerializeToString())


def bounded(made: Written, model: Any, samples: int) -> dict[str, Any]:
    """Whether bounds around the test's inputs hold what onnxruntime gives there."""
    from genbab.api import bounds

    random, session = np.random.default_rng(0), _session(made)
    centre = np.concatenate([np.asarray(v).astype(np.float64).reshape(-1) for v in made.values.values()])
    whole = all(np.asarray(v).dtype.kind not in "f" for v in made.values.values())
    reach = np.zeros_like(centre) if whole else SHARE * np.maximum(1.0, np.abs(centre))
    method = "backward" if model.network.nodes[model.network.output].size <= MANY else "interval"
    low, high = (end[0].numpy() for end in bounds(model, centre - reach, centre + reach, method))
    found: list[Any] = []
    slack = np.zeros_like(low)
    for _ in range(samples):
        share = random.uniform(-1, 1, centre.size)
        point = centre + reach * (np.sign(share) if random.random() < 0.3 else share)
        outputs = [
            np.asarray(r)
            for r in session.run(None, _fed(made, np.clip(point, centre - reach, centre + reach)))
        ]
        found.append(np.concatenate([r.astype(np.float64).reshape(-1) for r in outputs]))
        kinds = [
            np.full(r.size, ROUNDED.get(r.dtype.name, 2**-8) if r.dtype.kind in "fV" else 0.0)
            for r in outputs
        ]
        size = np.nan_to_num(np.abs(found[-1]), nan=0.0, posinf=0.0, neginf=0.0).max(initial=1.0)
        slack = np.maximum(slack, np.concatenate(kinds) * size)
    seen = np.stack(found)
    if seen.shape[1] != low.size:
        return {"sound": False, "detail": f"{low.size} bounds of {seen.shape[1]} outputs"}
    lost = np.isnan(seen).any(0) & np.isfinite(low) & np.isfinite(high)
    with np.errstate(invalid="ignore"):
        off = np.nan_to_num(np.maximum(low - slack - seen, seen - high - slack), nan=0.0)
        off = np.where(np.isinf(seen), 0.0, off).max(0, initial=0.0)
    spread = np.ptp(np.nan_to_num(seen), axis=0)
    ratio = (high - low).max(initial=0.0) / max(spread.max(initial=0.0), 1e-9)
    return {
        "sound": not lost.any() and not (off > 0).any(),
        "detail": f"{int(lost.sum())} NaN inside, off by {off.max(initial=0.0):.3g}",
        "finite": bool(np.isfinite(low).all() and np.isfinite(high).all()),
        "ratio": float(ratio),
    }


def _fed(made: Written, point: Any) -> dict[str, Any]:
    feed, start = {}, 0
    for name, value in made.values.items():
        value = np.asarray(value)
        part = point[start : start + value.size].reshape(value.shape)
        near, far = part.astype(value.dtype), SHARE * np.maximum(1.0, np.abs(value.astype(np.float64)))
        inside = (
            np.abs(near.astype(np.float64) - value.astype(np.float64)) <= far
        )  # rounding may lead outside
        feed[name] = np.where(inside, near, value)
        start += value.size
    return feed
