"""Specifications with something wrong, in VNN-LIB 1.0 and 2."""

from __future__ import annotations

import random

Random = random.Random
NUMBERS = (
    *("0", "1", "-1", "0.5", "+.5", "-0.0", "1e-3", "3.", ".", "1e400", "-1e400", "1e-400", "1e999999999"),
    *(
        "-1e-999999999",
        "1e99999999999999999999",
        "9" * 400,
        "0." + "3" * 3000,
        "nan",
        "inf",
        "-Infinity",
        "0x10",
    ),
    *("1_000", "1/3", "١", "1e", "--1", "8/255", "1e308", "1.7976931348623159e308", "4.9e-324", "1e6"),
)
WORDS = (
    *(
        "(",
        ")",
        "((",
        "))",
        "and",
        "or",
        "assert",
        "declare-const",
        "declare-fun",
        "Real",
        "real",
        "Int",
        "float32",
    ),
    *(
        "X_0",
        "Y_0",
        "X_99",
        "Y_1",
        "X_-1",
        "X_00",
        "X_1000000000",
        "Z_0",
        "X[0]",
        "Y[0,0]",
        "X[-1]",
        "X[99]",
        "X",
    ),
    *(
        "<=",
        ">=",
        "<",
        ">",
        "=",
        "==",
        "!=",
        "=>",
        "not",
        "+",
        "-",
        "*",
        "/",
        "ite",
        "let",
        "forall",
        ";",
        '"',
        "|",
    ),
    *(
        "vnnlib-version",
        "<2.0>",
        "<1.0>",
        "declare-network",
        "declare-input",
        "declare-output",
        "declare-hidden",
    ),
    *(
        "equal-to",
        "isomorphic-to",
        "[1000000000]",
        "[1,0]",
        "[-1]",
        "[]",
        "check-sat",
        "\n",
        "\t",
        "\x00",
        "\ufeff",
    ),
    *(
        "()",
        "(assert",
        "(or",
        "(and",
        "(<= X_0",
        "é",
        "\u2028",
        "(* X_0 X_0)",
        "(+ Y_0 Y_1)",
        "(- X_0)",
        "(/ Y_0 0)",
    ),
)


def sound_spec(random: Random, inputs: int, outputs: int, version: str) -> str:
    """A readable specification of a box and a few relations of outputs, in either version."""
    form = "{}_{}" if version == "1.0" else "{}[{}]"
    if version == "1.0":
        lines = [f"(declare-const X_{i} Real)" for i in range(inputs)]
        lines += [f"(declare-const Y_{i} Real)" for i in range(outputs)]
    else:
        ends = f"(declare-input X real [{inputs}]) (declare-output Y real [{outputs}])"
        lines = ["(vnnlib-version <2.0>)", f"(declare-network f {ends})"]
    for i in range(inputs):
        low = random.uniform(-1, 1)
        high = low + random.choice((0.0, 0.01, 0.1, 1.0))
        lines.append(f"(assert (>= {form.format('X', i)} {low:.6f}))")
        lines.append(f"(assert (<= {form.format('X', i)} {high:.6f}))")
    rows = []
    for _ in range(random.choice((1, 1, 2, 3))):
        one, other = (form.format("Y", random.randrange(outputs)) for _ in range(2))
        number = f"{random.uniform(-2, 2):.4f}"
        forms = ["(<= {0} {2})", "(>= {0} {2})", "(< {0} {1})", "(>= (+ {0} (* 0.1 {1})) {2})"]
        forms.append("(<= {0} {1})")
        rows.append(random.choice(forms).format(one, other, number))
    joined = (
        f"(or {' '.join(f'(and {r})' for r in rows)})" if random.random() < 0.5 else f"(and {' '.join(rows)})"
    )
    return "\n".join([*lines, f"(assert {joined})", ""])


def damaged_text(text: str, random: Random) -> str:
    """The text after a few changes to its words, or to its characters."""
    for _ in range(random.choice((1, 1, 2, 3, 8))):
        pieces = text.replace("(", " ( ").replace(")", " ) ").split(" ")
        at, to = sorted(random.randrange(len(pieces) + 1) for _ in range(2))
        kind = random.randrange(9)
        if kind < 2:
            pieces[at : at + 1] = [random.choice(WORDS)]
        elif kind == 2:
            pieces[at : at + 1] = [random.choice(NUMBERS)]
        elif kind == 3:
            del pieces[at : at + random.choice((1, 1, 3))]
        elif kind == 4:
            pieces[at:at] = pieces[at:to][:40]
        elif kind == 5:
            pieces = pieces[:at]
        elif kind == 6:
            numbers = [i for i, p in enumerate(pieces) if p[:1].isdigit() or p[:1] == "-"]
            if numbers:
                pieces[random.choice(numbers)] = random.choice(NUMBERS)
        elif kind == 7:
            pieces[at:at] = [random.choice(("\x00", "\ufeff", "\r", ";", "\ud7ff", "𝟙", "\x1b[31m"))]
        else:
            random.shuffle(pieces[at:to])
        text = " ".join(pieces)
    return text


def claims(random: Random) -> str:
    """A text that is small or plain but asks for very much."""
    deep = random.choice((2_000, 20_000, 100_000))
    two = "(vnnlib-version <2.0>)\n(declare-network f (declare-input X real [{}])"
    two += " (declare-output Y real [1]))\n"
    box = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (<= 0 X_0 1))"
    ors = "".join(f"(assert (or (<= Y_0 {i}) (>= Y_0 {i + 1})))" for i in range(40))
    return random.choice(
        (
            "(declare-const X_1000000000 Real)(declare-const Y_0 Real)(assert (<= X_1000000000 1))",
            f"{box}(assert {'(and ' * deep}(<= Y_0 0){')' * deep})",
            f"{box}(assert {'(or ' * deep}(<= Y_0 0){')' * deep})",
            f"{box}(assert (<= {'(- ' * deep}Y_0{')' * deep} 0))",
            "(" * deep,
            ")" * deep,
            f"{box}{ors}",
            f"{box}(assert (<= (* {'9' * 1999} Y_0) (* {' '.join(['1e300'] * 50)})))",
            f"{box}(assert (<= (* {' '.join(['1e300'] * 400)} Y_0) 1))",
            f"{box}(assert (<= (* {' '.join(['1.0000000000000001'] * 500)} Y_0) 1))",
            f"{box}(assert (<= (/ Y_0 1e-300 1e-300) 1))",
            two.format("1000000000,1000000000") + "(assert (<= X[0,0] 1))",
            two.format(10**30) + "(assert (<= X[0] 1))",
            two.format("199999999") + "(assert (<= X[5] 1.0))",
            two.format("1") + f"(assert {'(and ' * deep}(<= Y[0] 0.0){')' * deep})",
            two.format("1") + f"(assert (<= {'(* Y[0] ' * 60}Y[0]{')' * 60} 0.0))",
            two.format("1") + f"(assert (<= (* {'(+ X[0] Y[0] 1.0) ' * 40}) 0.0))",
            two.format("1") + f"(assert (<= X[0] {'9' * 500}.0))" + ors.replace("Y_0", "Y[0]"),
        )
    )


def hostile_spec(random: Random, inputs: int, outputs: int) -> str:
    """A specification that is wrong in some way, or claims too much; sometimes a sound one after all."""
    if random.random() < 0.04:
        return claims(random)
    text = sound_spec(random, inputs, outputs, random.choice(("1.0", "2")))
    return text if random.random() < 0.05 else damaged_text(text, random)
