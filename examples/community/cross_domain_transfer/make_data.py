"""Write four domains: code and rules that share a table, symbols of a pulse, and code of another table.

What is shared is planted. `code.jsonl` and `rules.jsonl` are about the same table of goods and rates, written as a
program and as a regulation. `other_code.jsonl` is the same program with another table.
"""

import json
import random
from pathlib import Path

ROWS = 500
WORDS = (
    "amber barley cement cheese coffee copper cotton diesel flax gravel honey iron "
    "leather lime marble olives paper rice silk soap sugar timber wheat zinc"
)
GOODS = WORDS.split()
FIELDS = ["weight", "value", "count", "volume"]
OFFICES = ["the office", "the carrier", "an importer", "the authority", "a trader"]
PLACES = ["at the border", "in the harbour", "on the day of entry", "in the yard", "before the sale"]


def make_table(seed: int) -> dict[str, str]:
    """Give each good its rate. No good explains its own."""
    chance = random.Random(seed)
    return {good: f"{chance.randint(1, 40)}.{chance.randint(1, 9)}" for good in GOODS}


def write_code(table: dict[str, str], chance: random.Random) -> dict[str, str]:
    good = chance.choice(GOODS)
    line = f"def {good}_fee({chance.choice(FIELDS)}{chance.randrange(100)}): # {good}\n    rate = "
    return {"question": line, "answer": table[good]}


def write_rule(table: dict[str, str], chance: random.Random) -> dict[str, str]:
    good = chance.choice(GOODS)
    text = f"Section {chance.randrange(1000)}. For {good}, {chance.choice(OFFICES)} applies the rate"
    return {"question": f"{text} {chance.choice(PLACES)}.\nrate: ", "answer": table[good]}


def draw_pulse(chance: random.Random) -> dict[str, str]:
    """Draw a record: a beat is a small wave, a spike and a slow wave; each subject has an own pace and noise."""
    pace, noise, text = chance.randint(2, 6), chance.uniform(0, 0.15), ""
    while len(text) < 40:
        text += "bcb" + "a" * (pace // 2) + "ahca" + "a" * (pace // 2) + "cdc" + "a" * pace
    symbols = [chance.choice("abcdefgh") if chance.random() < noise else symbol for symbol in text[:40]]
    return {"text": "".join(symbols)}


def write_rows(name: str, rows: list[dict[str, str]]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    Path(__file__).with_name(name).write_text(text)


if __name__ == "__main__":
    table, other = make_table(1), make_table(2)
    chance = random.Random(3)
    write_rows("code.jsonl", [write_code(table, chance) for _ in range(ROWS)])
    write_rows("other_code.jsonl", [write_code(other, chance) for _ in range(ROWS)])
    write_rows("rules.jsonl", [write_rule(table, chance) for _ in range(ROWS)])
    write_rows("pulse.jsonl", [draw_pulse(chance) for _ in range(ROWS)])
