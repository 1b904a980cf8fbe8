"""Hostile cases: files in a folder, and the words of a command that reads them."""

from __future__ import annotations

import contextlib
import gzip
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.fuzz import files, protos, tables, texts
from tests.fuzz.bodies import seeds
from tests.fuzz.runtime import feed, session_of

Random = random.Random


@dataclass
class Case:
    """What is tried: its kind, the files that were written, the words of the command."""

    number: int
    kind: str
    words: list[str]
    trap: Path
    model: bytes = b""


def make(seed: int, number: int, folder: Path, kinds: tuple[str, ...] = ()) -> Case:
    """Case `number` of a seed, written to an empty folder; of one of these kinds, if any are named."""
    random = Random(f"{seed}/{number}")
    known = [kind for kind in KINDS if not kinds or kind[0] in kinds]
    name, _, writer = random.choices(known, [weight for _, weight, _ in known])[0]
    case = Case(number, name, [], folder / "unpickled")
    writer(case, random, folder)
    return case


def _neighbours(folder: Path) -> None:
    """What a model may point at: data beside it, a link out of its folder, data above it."""
    (folder / "w.bin").write_bytes(b"\0\0\x80?" * 64)
    (folder.parent / "secret.bin").write_bytes(b"\0\0\x80?" * 64)
    with contextlib.suppress(OSError):
        (folder / "link.bin").symlink_to("/etc/passwd")


def _model(case: Case, random: Random, folder: Path) -> None:
    case.model = protos.hostile_model(random)
    place = folder / random.choice(("m.onnx", "m.onnx", "m.onnx.gz"))
    place.write_bytes(case.model)
    _neighbours(folder)
    case.words = ["inspect", str(place)]
    if random.random() < 0.1:
        case.words += ["--json"]


def _verify(case: Case, random: Random, folder: Path) -> None:
    sound = random.choice(seeds()[:7]) if random.random() < 0.6 else random.choice(seeds())
    inputs, outputs = _sizes(sound)
    case.model = sound
    spec = texts.sound_spec(random, inputs, outputs, random.choice(("1.0", "2")))
    if random.random() < 0.8:
        damage = random.random()
        if damage < 0.2:
            case.model = protos.damaged_bytes(sound, random)
        elif damage < 0.5:
            case.model = protos.changed_model(sound, random).SerializePartialToString()
        else:
            case.model = protos.other_numbers(sound, random)
    else:
        spec = texts.damaged_text(spec, random)
    model, place = folder / "m.onnx", folder / "s.vnnlib"
    model.write_bytes(case.model)
    place.write_bytes(spec.encode("utf-8", "surrogatepass"))
    _neighbours(folder)
    case.words = [
        "verify",
        str(model),
        str(place),
        "--timeout",
        "2",
        "--json",
        str(folder / "r.json"),
        "--quiet",
    ]


def _sizes(model: bytes) -> tuple[int, int]:
    """How many numbers go into a sound model and come out."""
    session = session_of(model)
    wanted = [int(np.prod([n if isinstance(n, int) else 1 for n in i.shape])) for i in session.get_inputs()]
    found = session.run(None, feed(session, np.full(sum(wanted), 0.5)))
    return sum(wanted), sum(int(np.asarray(a).size) for a in found)


def _spec(case: Case, random: Random, folder: Path) -> None:
    data = texts.hostile_spec(random, random.choice((1, 2, 3)), random.choice((1, 2))).encode(
        "utf-8", "surrogatepass"
    )
    name = "s.vnnlib"
    if random.random() < 0.05:
        data, name = gzip.compress(data, 1, mtime=0), random.choice(("s.vnnlib", "s.vnnlib.gz"))
        data = protos.damaged_bytes(data, random) if random.random() < 0.5 else data
    elif random.random() < 0.1:
        data = protos.damaged_bytes(data, random)
    place = folder / name
    place.write_bytes(data)
    action = random.choice(("check", "show", "show", "convert"))
    case.words = ["spec", action, str(place)]
    if action == "convert":
        case.words += [str(folder / "out.vnnlib"), *random.choice(((), ("--to", "1.0"), ("--to", "2.0")))]


def _list(case: Case, random: Random, folder: Path) -> None:
    place = folder / "list.csv"
    place.write_bytes(tables.hostile_list(random))
    (folder / "m.onnx").write_bytes(seeds()[0])
    (folder / "s.vnnlib").write_text("(declare-const X_0 Real)")
    case.words = ["run", str(place)]


def _data(case: Case, random: Random, folder: Path) -> None:
    labels: list[str] = []
    kind = random.randrange(4)
    if kind == 0:
        place = folder / "d.csv"
        place.write_bytes(tables.hostile_table(random))
    elif kind < 3:
        place = folder / random.choice(("d.npy", "d.npy", "d.npz", "d.csv"))
        place.write_bytes(files.hostile_array(random, case.trap))
    else:
        place = folder / "images"
        place.mkdir()
        for i in range(random.choice((1, 2))):
            end, data = files.hostile_image(random)
            (place / f"{i}{end}").write_bytes(data)
    if kind and random.random() < 0.9:
        named = folder / random.choice(("l.csv", "l.npy"))
        good = b"1\n0\n" if named.suffix == ".csv" else files.claimed_array("(2,)", "<i8", b"\1" + b"\0" * 15)
        named.write_bytes(good if random.random() < 0.6 else files.hostile_array(random, case.trap))
        labels = ["--labels", str(named)]
    number = random.choice(("0.1", "8/255")) if random.random() < 0.7 else random.choice(texts.NUMBERS)
    case.words = [
        "spec",
        "from-csv",
        str(place),
        "--out",
        str(folder / "out"),
        f"--epsilon={number}",
        *labels,
    ]
    case.words += ["--classes", random.choice(("2", "3", "10", "0", "-1", "1e3", "x", "9" * 30))[:31]]
    extra = ("--clip", "--scale", "--count", "--norm", "--timeout")
    if random.random() < 0.3:
        value = random.choice((*texts.NUMBERS, "0,1", "1,0", "1", "2"))
        case.words.append(f"{random.choice(extra)}={value}")


def _study(case: Case, random: Random, folder: Path) -> None:
    place = folder / "s.db"
    place.write_bytes(files.hostile_study(random))
    case.words = ["study", str(place)]
    for form in ("csv", "jsonl", "vnncomp"):
        if random.random() < 0.3:
            case.words += [f"--{form}", str(folder / form)]


def _trace(case: Case, random: Random, folder: Path) -> None:
    place = folder / "t.jsonl"
    place.write_bytes(files.hostile_trace(random))
    case.words = ["plot-trace", str(place)]


def _pattern(case: Case, random: Random, folder: Path) -> None:
    model, place = folder / "m.onnx", folder / "p.json"
    model.write_bytes(seeds()[0])
    place.write_bytes(files.hostile_patterns(random))
    (folder / "s.vnnlib").write_text(texts.sound_spec(random, 3, 2, "1.0"))
    if random.random() < 0.5:
        case.words = ["nap", "show", str(place), *random.choice(((), ("--json",)))]
        return
    named = ("--nap", str(place), "--nap-class", random.choice(("0", "0", "1", *texts.NUMBERS)))
    case.words = ["verify", str(model), str(folder / "s.vnnlib"), "--timeout", "2", *named]


def _mined(case: Case, random: Random, folder: Path) -> None:
    model, out = folder / "m.onnx", folder / "p.json"
    model.write_bytes(random.choice(seeds()[:7]))
    data, labels = folder / random.choice(("d.npz", "d.npy")), folder / random.choice(("l.npz", "l.npy"))
    for place in (data, labels):
        place.write_bytes(files.hostile_array(random, case.trap))
    delta = random.choice(("0.95", "1", *texts.NUMBERS))
    named = (str(data), *random.choice(((), (str(labels),))))
    case.words = ["nap", "mine", str(model), *named, "-o", str(out), f"--delta={delta}"]


def _formula(case: Case, random: Random, folder: Path) -> None:
    low, high = (random.choice((*texts.NUMBERS[:8], "-3", "2", "-1e9")) for _ in range(2))
    case.words = ["relax", tables.hostile_formula(random), low, high]


def _options(case: Case, random: Random, folder: Path) -> None:
    (folder / "m.onnx").write_bytes(seeds()[0])
    (folder / "s.vnnlib").write_text(texts.sound_spec(random, 3, 2, "1.0"))
    names = (
        "timeout",
        "memory",
        "device",
        "threads",
        "batch",
        "seed",
        "precision",
        "bounds",
        "branching",
        "nonsense",
    )
    command = random.choice(("verify", "inspect"))
    case.words = [command, str(folder / "m.onnx"), str(folder / "s.vnnlib"), "--timeout", "2"]
    for _ in range(random.choice((1, 1, 2))):
        value = random.choice((*texts.NUMBERS, *tables.CELLS, "auto", "cpu", "cuda:99", "-"))
        case.words.insert(3, f"--{random.choice(names)}={value}")
    case.words = [word.replace("\0", "") for word in case.words]


Writer = Callable[[Case, Random, Path], None]
KINDS: tuple[tuple[str, float, Writer], ...] = (
    ("model", 40, _model),
    ("verify", 5, _verify),
    ("spec", 25, _spec),
    ("list", 6, _list),
    ("data", 10, _data),
    ("study", 4, _study),
    ("trace", 1, _trace),
    ("pattern", 1, _pattern),
    ("mined", 1, _mined),
    ("formula", 1.5, _formula),
    ("options", 1.5, _options),
)
