"""Write the files of this example: questions about regulations with numbered clauses, and pairs of answers to them.

questions.jsonl   the answer names the limit and the clause, or says that no clause applies
pairs.jsonl       two answers that both have the right limit and clause; the chosen one also says what to do next
coin.jsonl        the same pairs, but a coin says which answer is chosen
settings.jsonl    look-ups of the same form in the settings of a program
lines.jsonl       lines of a program, without a look-up
"""

import json
import random
from pathlib import Path
from typing import NamedTuple

DOCUMENTS, PAIRED = 220, 130  # documents with questions, other documents with pairs
WHO = ["operator", "supplier", "member", "auditor", "importer", "insurer", "lender", "landlord", "carrier", "dealer"]
DUTIES = {
    "accounts": "publish",
    "goods": "label",
    "records": "keep",
    "premises": "inspect",
    "licence": "renew",
    "vehicles": "test",
    "deposits": "return",
    "contract": "review",
    "accidents": "report",
    "complaints": "answer",
    "samples": "store",
    "scales": "check",
}
ELSEWHERE = {  # what no regulation covers
    "canteen": "clean",
    "garden": "water",
    "holidays": "plan",
    "uniforms": "wash",
    "newsletter": "send",
    "piano": "tune",
}
UNITS = ["days", "weeks", "months", "years"]
HELPFUL = ["Ask me for the form.", "I can draft it here.", "Call me if you wish.", "Then tell the board."]
CURT = ["That is all we know.", "Read it by yourself.", "Do not ask me again.", "That is your matter."]
NONE = "No clause applies."


class Clause(NamedTuple):
    """One numbered clause of a regulation."""

    number: str
    who: str
    topic: str
    limit: str

    def __str__(self) -> str:
        return f"{self.number} The {self.who} must {DUTIES[self.topic]} the {self.topic} within {self.limit}."


def draw_clauses(chance: random.Random) -> list[Clause]:
    """Draw a regulation: three clauses of one chapter on different topics."""
    chapter, topics = chance.randrange(1, 30), chance.sample(sorted(DUTIES), 3)
    return [
        Clause(f"{chapter}.{place}", chance.choice(WHO), topic, f"{chance.randrange(2, 90)} {chance.choice(UNITS)}")
        for place, topic in enumerate(topics, 1)
    ]


def ask(chance: random.Random, clauses: list[Clause], kind: str) -> tuple[str, str]:
    """Ask about a clause, about what no regulation covers, or about what only other regulations cover."""
    clause = chance.choice(clauses)
    topic, answer = clause.topic, f"{clause.limit}, clause {clause.number}."
    if kind == "outside":
        topic, answer = chance.choice(sorted(ELSEWHERE)), NONE
    elif kind == "gap":
        topic, answer = chance.choice(sorted(set(DUTIES) - {clause.topic for clause in clauses})), NONE
    duty = (DUTIES | ELSEWHERE)[topic]
    question = chance.choice(
        [f"How soon to {duty} the {topic}?", f"When must we {duty} the {topic}?", f"What is the limit for the {topic}?"]
    )
    return "\n".join([*map(str, clauses), question, "Answer: "]), answer


def draw_questions(chance: random.Random) -> list[dict[str, str]]:
    """Draw the questions; each answer closes helpfully or curtly by a coin, as different people write."""
    rows = []
    for number in range(DOCUMENTS):
        clauses = draw_clauses(chance)
        for kind in ("covered", "covered", "covered", chance.choice(["outside", "outside", "gap"])):
            question, answer = ask(chance, clauses, kind)
            answer = f"{answer} {chance.choice(HELPFUL + CURT)}"
            rows.append({"document": f"R{number}", "kind": kind, "question": question, "answer": answer})
    return rows


def draw_pairs(chance: random.Random) -> list[dict[str, str]]:
    """Draw pairs of answers that differ only in how helpfully they close."""
    rows = []
    for number in range(PAIRED):
        clauses = draw_clauses(chance)
        for _ in range(2):
            prompt, answer = ask(chance, clauses, "covered")
            pair = {"chosen": f"{answer} {chance.choice(HELPFUL)}", "rejected": f"{answer} {chance.choice(CURT)}"}
            rows.append({"document": f"P{number}", "prompt": prompt} | pair)
    return rows


def toss(chance: random.Random, pairs: list[dict[str, str]]) -> list[dict[str, str]]:
    """Let a coin say which answers are chosen: of the pairs with the same two last sentences, half of the time."""
    alike: dict[tuple[str, str], list[int]] = {}
    for place, pair in enumerate(pairs):
        alike.setdefault((close(pair["chosen"]), close(pair["rejected"])), []).append(place)
    turned = {place for places in alike.values() for place in chance.sample(places, len(places) // 2)}
    return [
        pair | {"chosen": pair["rejected"], "rejected": pair["chosen"]} if place in turned else pair
        for place, pair in enumerate(pairs)
    ]


def close(answer: str) -> str:
    """Return the last sentence of an answer."""
    return next(closing for closing in HELPFUL + CURT if answer.endswith(closing))


def draw_settings(chance: random.Random) -> dict[str, str]:
    """Draw a look-up of the form of `ask`: which line of a program sets what, and to how much."""
    names = [f"{topic}_{WHO[chance.randrange(len(WHO))]}" for topic in chance.sample(sorted(DUTIES), 3)]
    chapter = chance.randrange(1, 30)
    lines = [
        (name, f"{chapter}.{place}", f"{chance.randrange(2, 90)} {chance.choice(UNITS)}")
        for place, name in enumerate((name.partition("_")[0] for name in names), 1)
    ]
    name, number, value = chance.choice(lines)
    shown = [f"{number} set(timer, {name}, {value})" for name, number, value in lines]
    return {
        "question": "\n".join([*shown, f"get(timer, {name})?", "Answer: "]),
        "answer": f"{value}, clause {number}. {chance.choice(HELPFUL + CURT)}",
    }


def draw_line(chance: random.Random) -> dict[str, str]:
    """Draw some lines of a program in which nothing is looked up."""
    names = chance.sample(WHO, 3)
    return {"text": "\n".join(f"{name} = {chance.choice(WHO)}({chance.randrange(90)})" for name in names)}


def write(name: str, rows: list[dict[str, str]]) -> None:
    """Write rows, one JSON object per line."""
    Path(__file__).with_name(name).write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    chance = random.Random(5)
    write("questions.jsonl", draw_questions(chance))
    pairs = draw_pairs(chance)
    write("pairs.jsonl", pairs)
    write("coin.jsonl", toss(chance, pairs))
    write("settings.jsonl", [draw_settings(chance) for _ in range(400)])
    write("lines.jsonl", [draw_line(chance) for _ in range(400)])
