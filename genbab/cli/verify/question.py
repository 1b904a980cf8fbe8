"""What `genbab verify` is asked: a model and a specification, or a VNN-LIB query and its networks' models."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from genbab.cli.options.model import ReadingWords
from genbab.config import Arithmetic
from genbab.errors import GenbabError, ModelError, SpecError, UsageError

if TYPE_CHECKING:
    from genbab.config import Config
    from genbab.reader import Joined, Model
    from genbab.specs import NetworkName, Spec


@dataclass(frozen=True)
class VerifyQuestion:
    """A specification and what it is about: `model`, or (None) one model for each of `networks` by name.

    over_reals: floating-point types in the query are read as `real`. reading: what of the model is read.
    derivative: the specification names derivatives.
    """

    spec: Path
    model: Path | None = None
    networks: Mapping[str, Path] = field(default_factory=dict)
    over_reals: bool = False
    reading: ReadingWords = field(default_factory=ReadingWords)
    derivative: bool = False

    @classmethod
    def of(cls, options: argparse.Namespace) -> VerifyQuestion:
        """The question of a command line; raises `UsageError` for words that make none."""
        reading = ReadingWords.of(options)
        if options.network is None:
            if options.spec is None:
                raise UsageError("SPEC is missing: genbab verify MODEL SPEC, or QUERY --network NAME=MODEL")
            for flag, given in (
                ("--serialise-assignments", options.serialise is not None),
                ("--over-reals", options.over_reals),
            ):
                if given:
                    raise UsageError(f"{flag} is for a query: genbab verify QUERY --network NAME=MODEL")
            model, named = Path(options.model), bool(options.derivative)
            return cls(Path(options.spec), model, reading=reading, derivative=named)
        if reading:
            raise UsageError(f"{' '.join(reading.words)}: a query declares its inputs and outputs by itself")
        if options.derivative:
            raise UsageError("--derivative is for a model and its specification, not for a query (--network)")
        if options.spec is not None:
            raise UsageError(
                f"with --network only the query is given: genbab verify QUERY --network NAME=MODEL, "
                f"found {options.model} and {options.spec}"
            )
        if options.serialise == "":
            raise UsageError("--serialise-assignments: the name of the folder is empty")
        return cls(Path(options.model), None, _named(options.network), options.over_reals)

    @property
    def standard(self) -> bool:
        """Whether it was asked, and is to be answered, as the VNN-LIB standard says."""
        return self.model is None

    @property
    def title(self) -> str:
        """The model or models in one line."""
        if self.model is not None:
            return str(self.model)
        return ",".join(f"{name}={path}" for name, path in self.networks.items())

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that are read."""
        return (*((self.model,) if self.model else self.networks.values()), self.spec)

    def check_files(self) -> None:
        """Raise unless every file can be opened: the message comes before any library is loaded."""
        for path in self.files[:-1]:
            readable(path, "model", ModelError)
        readable(self.spec, "query" if self.standard else "specification", SpecError)

    def source(self, spec: Spec) -> Path | Joined:
        """What the model is to be read from; raises for networks and models that do not fit each other."""
        if self.model is not None:
            return self.model
        networks: Sequence[NetworkName] = spec.declared
        if not networks:  # VNN-LIB 1.0 names no network
            if len(self.networks) > 1:
                raise UsageError(f"{self.spec} is VNN-LIB 1.0, about one network: give --network once")
            return next(iter(self.networks.values()))
        if spec.hidden:
            raise SpecError(
                f"speaks of hidden tensors ({_few([one.name for one in spec.hidden])}), which is not "
                "supported with --network: genbab verify MODEL QUERY",
                str(self.spec),
            )
        self._check_networks(networks)
        from genbab.specs import joint

        renamed = any(t.onnx_name for n in networks for t in n.tensors)
        if not (renamed or joint(networks)):
            return self.networks[networks[0].name]
        from genbab.reader import joined

        return joined(networks if joint(networks) else networks[:1], self.networks)

    def fitting(self, model: Model, spec: Spec, source: Path | Joined) -> Model:
        """The model, known to be that of the query; raises `SpecError` for other numbers of entries."""
        if self.model is not None or not spec.declared:
            return model
        if not isinstance(source, Path):
            model = replace(model, given=source.given)
        from genbab.reader import check_shapes
        from genbab.specs import joint

        if joint(spec.declared):
            model = replace(model, source=self.title, parts=tuple(n.name for n in spec.declared))
        check_shapes(model, spec.declared)
        return model

    def _check_networks(self, networks: Sequence[NetworkName]) -> None:
        """Raise `UsageError`, naming all, unless exactly the networks with a model of their own have one."""
        own = [n.name for n in networks if not n.same_as]
        shared = {n.name: n.same_as for n in networks if n.same_as}
        wrong = [
            f"no model is given for {name} (--network {name}=MODEL)"
            for name in own
            if name not in self.networks
        ]
        for name in self.networks:
            if name in shared:
                wrong.append(f"{name} is equal to {shared[name]} and takes no model of its own")
            elif name not in own:
                wrong.append(f"there is no network {name}")
        if wrong:
            declared = ", ".join(n.name for n in networks)
            raise UsageError(f"{'; '.join(wrong)}; {self.spec} declares {declared}")

    def settled(self, config: Config, spec: Spec) -> Config:
        """The settings for the arithmetic that a query is about.

        A query of float32 may be about a file that has shorter types inside, where the settings say so.
        Raises `SpecError` where there are no proofs of it. A model and a specification are what the settings
        say, whatever types are declared.
        """
        types = list(dict.fromkeys(t.type for n in spec.declared for t in n.tensors if not t.whole))
        if self.model is not None or self.over_reals or not types:
            return config
        if len(types) == 1 and types[0] in get_args(Arithmetic):
            if types[0] == "float32" and config.arithmetic in ("float16", "bfloat16"):
                return config
            if config.arithmetic not in ("real", types[0]):
                what = f"is about {types[0]}, and --arithmetic {config.arithmetic} was given"
                raise SpecError(what, str(self.spec))
            return config.with_(arithmetic=types[0])
        floats = [t for n in spec.declared for t in n.tensors if not t.whole]
        said = [f"{t.name} {t.type}" for t in floats if t.type != "real"]
        known = ", ".join(get_args(Arithmetic))
        raise SpecError(
            f"asks about arithmetic in {' and '.join(types)} ({_few(said)}): all tensors must have one type, "
            f"of {known}; --over-reals reads them as real",
            str(self.spec),
        )


def readable(path: Path, what: str, kind: type[GenbabError]) -> None:
    """Raise unless the file can be opened: the message comes before any library is loaded."""
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise kind(f"cannot read the {what} {path}: {reason.lower()}") from error
    if empty:
        raise kind(f"the {what} {path} is empty")


def _named(pairs: Sequence[str]) -> dict[str, Path]:
    """The models by the name of their network."""
    found: dict[str, Path] = {}
    wrong: list[str] = []
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not (name and equals and path):
            wrong.append(f"--network {pair}: expected NAME=MODEL")
        elif name in found:
            wrong.append(f"--network {name} is given twice: {found[name]} and {path}")
        else:
            found[name] = Path(path)
    if wrong:
        raise UsageError("; ".join(wrong))
    return found


def _few(texts: Sequence[Any], most: int = 8) -> str:
    """The first few of many."""
    more = [f"and {len(texts) - most} more"] if len(texts) > most else []
    return ", ".join([*map(str, texts[:most]), *more])
