"""Write the rows of four domains, and their twin without an answer. Replace any of the files by your own rows.

How much there is to learn is planted, so that the answer can be wrong. A clause can be known only if its row was
read: with 40 clauses of which each row shows one, 80 % of them are known after about 64 rows. With 80, after 129.
"""

import itertools
import json
import random
from collections.abc import Callable
from pathlib import Path

ROWS = 400
Row = dict[str, str]

# Regulations: 40 clauses in the short book, 80 in the long one. Each rule has a number that no rule explains.
SUBJECTS = ["operator", "supplier", "auditor", "importer", "insurer", "lender", "carrier", "dealer", "broker", "agent"]
DUTIES = ["report", "keep", "disclose", "publish", "renew", "inspect"]
OBJECTS = ["accounts", "permits"]
RULES = [" ".join(words) for words in itertools.product(SUBJECTS, DUTIES, OBJECTS)]
SHORT, LONG = (random.Random(9).sample(RULES, count) for count in (40, 80))

# Support: what is asked for decides the tool; the order is copied.
WISHES = {
    "refund": ["I want my money back", "please refund me"],
    "track": ["where is my parcel", "when does it arrive"],
    "cancel": ["stop the order", "I do not want it any more"],
}

# Code: one old form, one new one; the names are copied.
NAMES = ["total", "count", "items", "user", "path", "size", "rows", "key", "node", "value"]


def make_books(chance: random.Random) -> dict[str, str]:
    """Give each rule its clause."""
    return {rule: f"{chance.randint(1, 40)}.{chance.randint(1, 9)}" for rule in RULES}


def ask_for_clause(rules: list[str], book: dict[str, str], chance: random.Random) -> Row:
    rule = chance.choice(rules)
    case = chance.randrange(1000, 10000)
    return {"question": f"Case {case}: the {rule}?\nclause: ", "answer": book[rule]}


def call_tool(chance: random.Random) -> Row:
    tool, order = chance.choice(sorted(WISHES)), chance.randrange(10000, 100000)
    text = f"Order {order}: {chance.choice(WISHES[tool])}\ncall: "
    return {"question": text, "answer": json.dumps({"tool": tool, "order": str(order)})}


def rewrite_line(chance: random.Random) -> Row:
    name, other = (f"{chance.choice(NAMES)}_{chance.randrange(100)}" for _ in range(2))
    number = chance.randrange(1000)
    old, new = chance.choice(
        [
            (f"assertEquals({name}, {number})", f"assert {name} == {number}"),
            (f"if {name}.has_key({other}):", f"if {other} in {name}:"),
            (f"for {name} in xrange({number}):", f"for {name} in range({number}):"),
        ]
    )
    return {"question": f"{old}\nnew: ", "answer": new}


def make_rows(make: Callable[[random.Random], Row], seed: int) -> list[Row]:
    chance = random.Random(seed)
    return [make(chance) for _ in range(ROWS)]


def shuffle_answers(rows: list[Row], seed: int) -> list[Row]:
    """Give each question the answer of another one: there is nothing left to learn but which answers occur."""
    answers = [row["answer"] for row in rows]
    random.Random(seed).shuffle(answers)
    return [{**row, "answer": answer} for row, answer in zip(rows, answers, strict=True)]


def write_rows(name: str, rows: list[Row]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    Path(__file__).with_name(name).write_text(text)


if __name__ == "__main__":
    book = make_books(random.Random(5))
    short = make_rows(lambda chance: ask_for_clause(SHORT, book, chance), 1)
    write_rows("clauses_40.jsonl", short)
    write_rows("clauses_80.jsonl", make_rows(lambda chance: ask_for_clause(LONG, book, chance), 2))
    write_rows("calls.jsonl", make_rows(call_tool, 3))
    write_rows("code.jsonl", make_rows(rewrite_line, 4))
    write_rows("shuffled.jsonl", shuffle_answers(short, 5))
