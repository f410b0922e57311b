"""Write the files of this example: an assistant's lessons in reading, and a service manual in three forms.

Each question has passages of a manual; each passage ends with a mark such as [4]. The right answer repeats what the
passage says, with its mark: so it cites what it used. The manual's facts are drawn by chance, so no model can know
them, and no device of the questions that are asked in the end (`book.jsonl`) is in a file that is learnt from.
"""

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ABSTAIN = "unknown"
OFFICE = (["order", "parcel", "invoice"], ["paid by card", "sent by post", "kept in store", "packed in foam"], "on day")
MANUAL = (["pump", "valve", "boiler", "filter"], ["oil it", "open it", "shut it", "clean it"], "after week")


def make_question(kind: tuple[list[str], list[str], str], chance: random.Random, used: set[str]) -> dict[str, Any]:
    """Draw a question with the passage that answers it, and three about other devices."""
    things, sayings, when = kind
    passages, subjects = [], []
    for mark in chance.sample(range(1, 10), 4):
        device = f"{chance.choice('ABCDEFGHKLMNPRST')}{chance.randrange(100, 1000)}"
        while device in used:
            device = f"{chance.choice('ABCDEFGHKLMNPRST')}{chance.randrange(100, 1000)}"
        used.add(device)
        subjects.append(f"{chance.choice(things)} {device}")
        passages.append(f"{chance.choice(sayings)} {when} {chance.randrange(2, 60)} [{mark}]")
    context, *distractors = (f"{subject}: {says}" for subject, says in zip(subjects, passages, strict=True))
    question = f"What is written about {subjects[0]}: "
    return {"question": question, "answer": passages[0], "context": context, "distractors": distractors}


def write_lesson(row: dict[str, Any], reads: str, chance: random.Random) -> dict[str, Any]:
    """Write a question as a prompt: with nothing, its passage, its passage among others, or another passage only."""
    others = row["distractors"]
    amid = chance.sample([row["context"], *others], 4)
    lines = {"nothing": [], "passage": [row["context"]], "among": amid, "another": others[:1]}[reads]
    answer = ABSTAIN if reads == "another" else row["answer"]
    return {"prompt": "".join(f"{line}\n" for line in lines) + row["question"], "completion": answer}


def write_rows(name: str, rows: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> None:
    (HERE / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_files(seed: int) -> None:
    """Write all files; another seed draws other devices, facts, marks and questions."""
    chance, used = random.Random(seed), set[str]()
    office = [make_question(OFFICE, chance, used) for _ in range(400)]
    manual = [make_question(MANUAL, chance, used) for _ in range(320)]
    mixed = ["passage", "passage", "among", "among", "among", "another", "another", "another"]
    write_rows("office.jsonl", (write_lesson(row, chance.choice(mixed), chance) for row in office))
    write_rows("manual_closed.jsonl", (write_lesson(row, "nothing", chance) for row in manual))
    write_rows("manual_passages.jsonl", (write_lesson(row, "passage", chance) for row in manual))
    write_rows("manual_grounded.jsonl", (write_lesson(row, chance.choice(mixed), chance) for row in manual))
    write_rows("book.jsonl", [make_question(MANUAL, chance, used) for _ in range(32)])
    halves = [write_lesson(row, chance.choice(mixed), chance) for row in manual]
    write_rows("half_one.jsonl", halves[::2])
    write_rows("half_other.jsonl", halves[1::2])


if __name__ == "__main__":
    write_files(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
