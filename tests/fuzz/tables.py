"""Lists of instances, tables of numbers, and formulas with something wrong."""

from __future__ import annotations

import random

from tests.fuzz.texts import NUMBERS

Random = random.Random
CELLS = (
    *(
        "m.onnx",
        "s.vnnlib",
        "1",
        "116",
        "0",
        "-1",
        "nan",
        "inf",
        "1e400",
        "",
        " ",
        '"',
        '""',
        "/etc/passwd",
        "..",
    ),
    *(
        "../../x.onnx",
        "a\x00b",
        "é" * 300,
        "~/m.onnx",
        "x" * 5000,
        "http://h/m.onnx",
        "|cmd",
        "1h",
        "0.5",
        "9" * 400,
    ),
    *("onnx", "vnnlib", "timeout", "\ufeff", "\r", "m.onnx\n", "/dev/zero", "."),
)


def hostile_list(random: Random) -> bytes:
    """A list of instances: sound rows among others."""
    rows = []
    for _ in range(random.choice((0, 1, 2, 5))):
        row = ["m.onnx", "s.vnnlib", "5"]
        for _ in range(random.choice((0, 1, 1, 2))):
            row[random.randrange(3)] = random.choice(CELLS)
        if random.random() < 0.2:
            row = row[: random.randrange(4)] + [random.choice(CELLS)] * random.randrange(3)
        rows.append(random.choice((",", ",", ", ", ";")).join(row))
    text = random.choice(("", "", "onnx,vnnlib,timeout\n", "timeout,onnx,vnnlib\n")) + "\n".join(rows)
    data = text.encode("utf-8", "surrogatepass")
    if random.random() < 0.15:
        data = data + bytes(random.randrange(256) for _ in range(20))
    return b'"' + b"a" * 200_000 if random.random() < 0.01 else data


def hostile_table(random: Random) -> bytes:
    """Labels and numbers as a table."""
    lines = []
    for _ in range(random.choice((0, 1, 2, 4))):
        row = [str(random.randrange(2)), *(f"{random.random():.3f}" for _ in range(3))]
        if random.random() < 0.4:
            row[random.randrange(len(row))] = random.choice((*NUMBERS, *CELLS))
        lines.append(",".join(row[: random.choice((4, 4, 4, 3))]))
    return ("label,a,b,c\n" * random.randrange(2) + "\n".join(lines)).encode("utf-8", "surrogatepass")


FORMULAS = (
    *(
        "x",
        "sin",
        "cos",
        "exp",
        "log",
        "sqrt",
        "tanh",
        "abs",
        "gelu",
        "relu",
        "1/x",
        "x**2",
        "x**-1",
        "x**0.5",
    ),
    *(
        "(",
        ")",
        "+",
        "-",
        "*",
        "/",
        "**",
        "1",
        "0",
        "1e400",
        "9**9**9",
        "2",
        ",",
        "__import__('os')",
        "x.real",
    ),
    *(
        "lambda: x",
        "y",
        "[1]",
        "'a'",
        "1j",
        "x if x else x",
        "max(x, 0)",
        "power(3)",
        "sigmoid(x)",
        "9" * 300,
    ),
)


def hostile_formula(random: Random) -> str:
    """What somebody might give for a function."""
    if random.random() < 0.03:
        return random.choice(("(" * 5000, "x+" * 3000 + "x", "sin(" * 500 + "x" + ")" * 500, "x**999999999"))
    return "".join(random.choice(FORMULAS) for _ in range(random.choice((1, 2, 3, 5))))
