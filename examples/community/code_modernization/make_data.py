"""Write pairs.jsonl, shuffled.jsonl and plain.jsonl: lines of Python 2, each with its Python 3 and recorded cases.

A row is one line to rewrite. Its answers are the new line, and a case: the function around the line (the line stands
at the @), inputs, and what the old program returned and printed for them. Record these from your own running system.
Here they follow from what a line means, not from the text of either line.
"""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROJECTS, LINES = 60, 12
SHUFFLED = 32  # projects of the twin
WORDS = [
    "total",
    "count",
    "items",
    "name",
    "result",
    "value",
    "user",
    "path",
    "size",
    "rows",
    "line",
    "key",
    "node",
    "price",
    "order",
    "stock",
    "rate",
    "code",
    "level",
    "batch",
]


def draw_rule(chance: random.Random, a: str, b: str) -> tuple[str, str, str, list[list[Any]], Callable[..., Any]]:
    """Draw an old line, its new line, the function around it, inputs, and what the line returns and prints."""
    number, word = chance.randrange(100), chance.choice(WORDS)
    plain = f"def run({a}, {b}):\n    @"
    guarded = f"def run({a}, {b}):\n    try: return {a}[{b}]\n    @"
    table = {"left": 3, "right": 5}
    return chance.choice(
        [
            (
                f"if {a}.has_key({b}): return {number}",
                f"if {b} in {a}: return {number}",
                plain,
                [[table, "left"], [table, "up"]],
                lambda x, y: [number if y in x else None, ""],
            ),
            (
                f'print "{word}:", {a}',
                f'print("{word}:", {a})',
                plain,
                [[4, 0], ["up", 0]],
                lambda x, _: [None, f"{word}: {x}\n"],
            ),
            (
                f'return "{word}: %s" % {a}',
                f'return f"{word}: {{{a}}}"',
                plain,
                [[4, 0], ["up", 0]],
                lambda x, _: [f"{word}: {x}", ""],
            ),
            (
                f"except KeyError, {word}: return {number}",
                f"except KeyError as {word}: return {number}",
                guarded,
                [[table, "right"], [table, "up"]],
                lambda x, y: [x.get(y, number), ""],
            ),
            (
                f"return {a} / {b}",  # of integers: Python 2 rounds down
                f"return {a} // {b}",
                plain,
                [[7, 2], [-7, 2], [8, 4]],
                lambda x, y: [x // y, ""],
            ),
        ]
    )


def make_project(chance: random.Random, number: int, seen: set[str]) -> list[dict[str, Any]]:
    """Make the lines of one project, which has names of its own; no two projects share a line."""
    endings = ["", "", f"_{chance.choice('abcdefgh')}", str(chance.randrange(10))]
    names = [word + chance.choice(endings) for word in chance.sample(WORDS, 8)]
    rows = []
    while len(rows) < LINES:
        old, new, frame, inputs, run = draw_rule(chance, *chance.sample(names, 2))
        if old in seen:
            continue
        seen.add(old)
        case = {"frame": frame, "inputs": inputs, "saw": [run(*values) for values in inputs]}
        question = f"User: Rewrite: {old}\n\nAssistant: "
        rows.append({"project": f"project {number}", "question": question, "answers": [new, json.dumps(case)]})
    return rows


def write(name: str, rows: list[dict[str, Any]]) -> None:
    """Write rows, one JSON object per line."""
    Path(__file__).with_name(name).write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    chance = random.Random(11)
    seen: set[str] = set()
    rows = [row for number in range(PROJECTS) for row in make_project(chance, number, seen)]
    write("pairs.jsonl", rows)
    few = rows[: SHUFFLED * LINES]
    answers = [row["answers"] for row in few]
    chance.shuffle(answers)
    write("shuffled.jsonl", [row | {"answers": other} for row, other in zip(few, answers, strict=True)])
    others = [row for number in range(40) for row in make_project(chance, PROJECTS + number, seen)]
    write("plain.jsonl", [{"text": row["answers"][0]} for row in others])
