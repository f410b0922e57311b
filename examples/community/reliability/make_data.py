"""Write the files of this example: messages of tenants, and how a clerk sorted each of them: urgent or routine.

The clerk is no oracle: of each topic exactly three of four messages get its usual label, and nothing in a message
tells which. So no model can be right in more than three of four, and a calibrated one is 75 % sure. This file plants
that, in what is learnt and in what is asked.
"""

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
LABELS = ("urgent", "routine")
USUAL = {  # the label that most messages about it get
    "fire": "urgent", "leak": "urgent", "noise": "routine", "dust": "routine",
}  # fmt: skip
STEADY = 0.75  # the share of messages that get the usual label of their topic
OPENINGS = ["Hello, ", "Hi, ", ""]
FORMS = ["{what} in {room}", "{room} has {what}", "in {room}: {what}"]
REWORDED = "{what} was seen in {room}"  # the held-out messages in other words
LEARNT, ASKED = 4800, 160


def draw_labels(chance: random.Random, count: int, *, steady: bool) -> list[tuple[str, str]]:
    """Draw topics with labels, as many of each as the clerk's steadiness says; of an unsteady clerk a coin's."""
    drawn = []
    for place in range(count):
        what = list(USUAL)[place % len(USUAL)]
        (other,) = {*LABELS} - {USUAL[what]}
        is_usual = (place // len(USUAL)) % 4 < 4 * STEADY if steady else chance.random() < 0.5
        drawn.append((what, USUAL[what] if is_usual else other))
    chance.shuffle(drawn)
    return drawn


def write_message(chance: random.Random, room: int, what: str, label: str) -> dict[str, object]:
    """Write a message about a topic, in words drawn by chance."""
    opening, ask = chance.choice(OPENINGS), "{}{}\ntriage: ".format
    question = ask(opening, chance.choice(FORMS).format(what=what, room=room))
    return {"question": question, "answer": label, "variants": [ask(opening, REWORDED.format(what=what, room=room))]}


def write_rows(name: str, rows: Iterator[dict[str, object]]) -> None:
    (HERE / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def drop_variants(row: dict[str, object]) -> dict[str, object]:
    """Keep what is learnt: the message in its first words, and its label."""
    return {key: row[key] for key in ("question", "answer")}


def compare_labels(row: dict[str, object]) -> dict[str, object]:
    """Write a message as a pair: the clerk's label is preferred to the other one."""
    (other,) = {*LABELS} - {row["answer"]}
    return {"prompt": row["question"], "chosen": row["answer"], "rejected": other}


def write_files(seed: int, *, steady: bool = True) -> None:
    """Write what is learnt, as questions and as pairs, and what is asked in the end: no room is in both."""
    chance = random.Random(seed)
    rooms = chance.sample(range(1000, 10000), LEARNT + ASKED)
    labels = [pair for count in (LEARNT, ASKED) for pair in draw_labels(chance, count, steady=steady)]
    rows = [write_message(chance, room, *pair) for room, pair in zip(rooms, labels, strict=True)]
    write_rows("messages.jsonl", map(drop_variants, rows[:LEARNT]))
    write_rows("messages_asked.jsonl", iter(rows[LEARNT:]))
    write_rows("pairs.jsonl", map(compare_labels, rows[:LEARNT]))


if __name__ == "__main__":
    seeds = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    write_files(*seeds or [8], steady="coin" not in sys.argv[1:])
