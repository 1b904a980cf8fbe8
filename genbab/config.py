"""The settings of a run, as one frozen value that is checked when it is made; imports no torch."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from genbab.amounts import SMALLEST_MEMORY, default_memory, parse_memory, parse_seconds
from genbab.errors import UsageError

Branching = Literal["auto", "input", "neuron", "mixed", "none"]
Score = Literal["random", "widest", "babsr", "free", "line", "shortcut", "bbps", "strong"]
Points = Literal["table", "middle"]
Retighten = Literal["frozen", "clipped", "reoptimised"]
SearchDtype = Literal["float32", "float64"]
SearchProducts = Literal["full", "bfloat16"]
Backend = Literal["auto", "torch", "numba", "triton"]
Witness = Literal["nearest", "exact"]
Arithmetic = Literal["real", "float16", "bfloat16", "float32", "float64"]


def _whole(least: int, most: float = math.inf) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and least <= v <= most


def _maybe(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda v: v is None or check(v)


def _one_of(*names: str) -> Callable[[Any], bool]:
    return lambda v: v in names


def _positive(v: Any) -> bool:
    return isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v) and v > 0


def _device(v: Any) -> bool:
    return isinstance(v, str) and re.fullmatch(r"auto|cpu|cuda(:\d+)?", v) is not None


def _elementary(v: Any) -> bool:
    return isinstance(v, str) and re.fullmatch(r"onnxruntime|torch|[1-9]\d{0,2}ulp", v) is not None


def _count(text: str) -> int | None:
    return None if text.strip().lower() in ("none", "auto") else int(text)


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def setting(
    check: Callable[[Any], bool], accepted: str, parse: Callable[[str], Any], about: str
) -> dict[str, Any]:
    """Metadata of one field: its rule, the rule in words, how its text is read, and the line of help."""
    return {"check": check, "accepted": accepted, "parse": parse, "about": about}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything a user may choose about a run; wrong values raise `UsageError` that names them all."""

    timeout: float | None = field(
        default=None,
        metadata=setting(
            _maybe(_positive),
            "a positive number of seconds, or none",
            parse_seconds,
            "time limit, as 60, 90s, 5m or 1h",
        ),
    )
    device: str = field(
        default="cpu",
        metadata=setting(_device, "cpu, cuda, cuda:0 (or another number) or auto", str, "where to compute"),
    )
    memory: int = field(
        default_factory=default_memory,
        metadata=setting(
            _whole(SMALLEST_MEMORY),
            "at least 64MiB, as in 4GB, 512MiB or a number of bytes",
            parse_memory,
            "memory for bounds and open domains",
        ),
    )
    seed: int = field(
        default=0,
        metadata=setting(
            _whole(0, 2**63 - 1), "a whole number from 0 below 2^63", int, "seed of all random choices"
        ),
    )
    search_dtype: SearchDtype = field(
        default="float32",
        metadata=setting(
            _one_of("float32", "float64"),
            "float32 or float64",
            str,
            "number type in which slopes are optimised (what is kept is evaluated in float64)",
        ),
    )
    search_products: SearchProducts = field(
        default="full",
        metadata=setting(
            _one_of(*get_args(SearchProducts)),
            "full or bfloat16",
            str,
            "matrix products of the search: in its number type, or in bfloat16 (coarser, at times faster)",
        ),
    )
    backend: Backend = field(
        default="auto",
        metadata=setting(
            _one_of(*get_args(Backend)),
            f"one of {', '.join(get_args(Backend))}",
            str,
            "what the inner loops of bounds and branching run in",
        ),
    )
    root_steps: int = field(
        default=30, metadata=setting(_whole(0), "a whole number from 0", int, "slope steps at the root")
    )
    child_steps: int = field(
        default=20,
        metadata=setting(_whole(0), "a whole number from 0", int, "slope steps for a child of a split"),
    )
    batch: int | None = field(
        default=None,
        metadata=setting(
            _maybe(_whole(1)), "a whole number from 1, or auto", _count, "domains bounded together"
        ),
    )
    branching: Branching = field(
        default="auto",
        metadata=setting(
            _one_of(*get_args(Branching)), "auto, input, neuron, mixed or none", str, "what to split"
        ),
    )
    branching_score: Score = field(
        default="bbps",
        metadata=setting(
            _one_of(*get_args(Score)),
            f"one of {', '.join(get_args(Score))}",
            str,
            "which neuron to split first",
        ),
    )
    branching_point: Points = field(
        default="table",
        metadata=setting(_one_of(*get_args(Points)), "table or middle", str, "where to split a neuron"),
    )
    retighten: Retighten = field(
        default="reoptimised",
        metadata=setting(
            _one_of(*get_args(Retighten)),
            f"one of {', '.join(get_args(Retighten))}",
            str,
            "what is done to hidden intervals below the root of neuron splits",
        ),
    )
    attack_restarts: int = field(
        default=4096,
        metadata=setting(
            _whole(0), "a whole number from 0 (0: no attack)", int, "starting points of the attack"
        ),
    )
    attack_steps: int = field(
        default=80, metadata=setting(_whole(1), "a whole number from 1", int, "gradient steps of the attack")
    )
    witness: Witness = field(
        default="nearest",
        metadata=setting(
            _one_of(*get_args(Witness)),
            "nearest or exact",
            str,
            "whether a counterexample may be the float32 nearest to an input that no float32 can say",
        ),
    )
    arithmetic: Arithmetic = field(
        default="real",
        metadata=setting(
            _one_of(*get_args(Arithmetic)),
            f"one of {', '.join(get_args(Arithmetic))}",
            str,
            "what a proof is about: the file's graph over the reals, or every execution of its operators in "
            "such numbers, in any order of summation",
        ),
    )
    elementary: str = field(
        default="onnxruntime",
        metadata=setting(
            _elementary,
            "onnxruntime, torch, or a number of units in the last place, as 4ulp",
            str,
            "how exact elementary functions are where the arithmetic is not real",
        ),
    )
    workers: int | None = field(
        default=1,
        metadata=setting(
            _maybe(_whole(1, 256)),
            "a whole number from 1 to 256, or auto",
            _count,
            "processes that share one search (auto: one for each core, where that can be)",
        ),
    )
    portfolio: bool = field(
        default=False,
        metadata=setting(
            lambda v: isinstance(v, bool),
            "True or False",
            _flag,
            "some of the workers search with other settings; who decides first ends all",
        ),
    )
    threads: int | None = field(
        default=None,
        metadata=setting(
            _maybe(_whole(1, 1024)),  # some libraries crash where a thread cannot be started
            "a whole number from 1 to 1024, or auto",
            _count,
            "threads of the command line's computations",
        ),
    )
    deterministic: bool = field(
        default=False,
        metadata=setting(
            lambda v: isinstance(v, bool),
            "True or False",
            _flag,
            "decide by work done instead of time: the same search in every run on this machine",
        ),
    )

    def __post_init__(self) -> None:
        wrong = [
            f"{f.name} = {getattr(self, f.name)!r}: must be {f.metadata['accepted']}"
            for f in fields(self)
            if not f.metadata["check"](getattr(self, f.name))
        ]
        if not wrong and self.deterministic and (self.workers or 1) > 1:
            wrong = [f"deterministic with workers = {self.workers}: how they share depends on time; use 1"]
        if wrong:
            raise UsageError("; ".join(wrong))

    @classmethod
    def of(cls, given: Config | None) -> Config:
        """The settings given, the defaults for None; anything else raises `UsageError`."""
        if given is not None and not isinstance(given, cls):
            raise UsageError(f"config: must be a genbab.Config, as Config(timeout=60), not {given!r:.80}")
        return given or cls()

    def with_(self, **changes: Any) -> Config:
        """The same settings but for the given ones; unknown names raise `UsageError`."""
        _refuse_unknown(changes)
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain numbers, strings, truth values and None."""
        return dataclasses.asdict(self)

    @classmethod
    def from_text(cls, texts: Mapping[str, str]) -> Config:
        """Settings read from text, as on a command line; raises `UsageError` that names every wrong one."""
        _refuse_unknown(texts)
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for f in fields(cls):
            if f.name not in texts:
                continue
            try:
                values[f.name] = f.metadata["parse"](texts[f.name])
                accepted = f.metadata["check"](values[f.name])
            except (ValueError, OverflowError):
                accepted = False
            if not accepted:
                option = "--" + f.name.replace("_", "-")
                wrong.append(f"{option} {texts[f.name]}: must be {f.metadata['accepted']}")
        if wrong:
            raise UsageError("; ".join(wrong))
        return cls(**values)


def _refuse_unknown(names: Mapping[str, Any]) -> None:
    known = [f.name for f in fields(Config)]
    unknown = [n for n in names if n not in known]
    if unknown:
        hints = [(n, difflib.get_close_matches(n, known, 1)) for n in unknown]
        listed = ", ".join(n + (f" (did you mean {h[0]}?)" if h else "") for n, h in hints)
        raise UsageError(f"no such setting: {listed}; there are {', '.join(known)}")
