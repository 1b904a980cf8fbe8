"""What is measured: instances of the families as a model and a property, and questions about digits."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from sklearn.datasets import load_digits

from genbab.specs import robustness, write_vnnlib

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "benchmarks"


def lsnc(kind: str, number: int) -> str:
    """A quadrotor of lsnc: the question about its state, or its output."""
    return f"lsnc/onnx/quadrotor2d_{kind}.onnx lsnc/vnnlib/quadrotor2d_{kind}_{number}.vnnlib"


def acasxu(network: str, prop: int) -> str:
    """A property of an ACAS Xu network."""
    return f"acasxu/onnx/ACASXU_run2a_{network}_batch_2000.onnx acasxu/vnnlib/prop_{prop}.vnnlib"


TLL = (
    "tllverifybench/onnx/tllBench_n=2_N=M=16_m=1_instance_1_0.onnx "
    "tllverifybench/vnnlib/property_N=16_0.vnnlib"
)
ERAN = (
    "eran_sigmoid/nets/ffnnSIGMOID__Point_6x200.onnx "
    "eran_sigmoid/specs/mnist/mnist_spec_idx_9044_eps_0.01200.vnnlib"
)


def write_digit(path: Path, number: int, radius: float) -> None:
    """The specification that the last but so many image of scikit-learn's keeps its class in this radius."""
    images, labels = load_digits(return_X_y=True)
    spec = robustness(images[-1 - number] / 16, int(labels[-1 - number]), 10, radius, (0.0, 1.0))
    write_vnnlib(spec, path)


def example(network: str) -> Path:
    """The file of an example network."""
    return ROOT / "examples" / "onnx" / f"{network}.onnx"


def write_list(folder: Path, count: int, radii: Mapping[str, Sequence[float]], limit: int) -> Path:
    """A list of so many instances of these networks by turns, in a new folder with their specifications."""
    folder.mkdir()
    names = list(radii)
    with (folder / "list.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        for i in range(count):
            name = names[i % len(names)]
            write_digit(folder / f"{i:04d}.vnnlib", i, radii[name][i // len(names) % len(radii[name])])
            rows.writerow([example(name), f"{i:04d}.vnnlib", limit])
    return folder / "list.csv"
