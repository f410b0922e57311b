"""Write the files of this example: messages of tenants, and how a clerk sorted each of them: urgent or routine.

The clerk is no oracle: smoke is urgent in 19 of 20 messages, frost in 13 of 20. So the best model is right in about
five of six messages, and should be as sure as the clerk is steady: that is the truth that this file plants.
"""

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
LABELS = ("urgent", "routine")
URGENT = {  # the share of messages about it that the clerk called urgent
    "fire": 0.95, "smoke": 0.95, "leak": 0.75, "frost": 0.65, "noise": 0.35, "dust": 0.25, "paint": 0.05, "lamp": 0.05,
}  # fmt: skip
OPENINGS = ["Hello, ", "Hi, ", "Please note: ", ""]
FORMS = ["there is {what} in room {room}", "room {room} has {what}", "in room {room} we see {what}"]
REWORDED = "{what} was seen in room {room}"  # the held-out messages in other words


def write_message(chance: random.Random, room: int, *, steady: bool = True) -> dict[str, object]:
    """Draw a message with its label; of an unsteady clerk the label is a coin."""
    what = chance.choice(list(URGENT))
    label = LABELS[chance.random() >= (URGENT[what] if steady else 0.5)]
    opening = chance.choice(OPENINGS)
    ask = "{}{}\ntriage: ".format
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
    rooms = chance.sample(range(1000, 10000), 1900)
    rows = [write_message(chance, room, steady=steady) for room in rooms]
    write_rows("messages.jsonl", map(drop_variants, rows[:1600]))
    write_rows("messages_asked.jsonl", iter(rows[1600:]))
    write_rows("pairs.jsonl", map(compare_labels, rows[:1600]))


if __name__ == "__main__":
    seeds = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    write_files(*seeds or [7], steady="coin" not in sys.argv[1:])
