"""Define the experiments that run against the foreign server, and what each must show."""

import json
import random
from pathlib import Path
from typing import Any

from tests.foreign.server import MODEL

SL = f"""
sweep: foreign-sl
question: Does supervised training teach the foreign model anything?
experiment: data_scaling
model: {MODEL}
train: {{method: sl, rank: 8, learning_rate: 0.005, batch_size: 8, steps: 40}}
data: {{chats: {{source: chats.jsonl, holdout: held.jsonl}}}}
sizes: [16, 128]
seeds: 2
evaluate: [nll]
checkpoint: {{every_steps: 10}}
"""

AGAIN = """
sweep: {name}
experiment: grid
model: {model}
train: {{method: sl, rank: 8, learning_rate: 0.005, batch_size: 8, steps: 60}}
data: {{chats: {{source: chats.jsonl, holdout: held.jsonl}}}}
seeds: 1
evaluate: [nll]
checkpoint: {{every_steps: 10}}
reuse: never
"""

DPO = f"""
sweep: foreign-dpo
experiment: grid
model: {MODEL}
train: {{method: dpo, rank: 8, learning_rate: 0.002, batch_size: 8, steps: 20, beta: 0.5}}
data: {{pairs: {{source: pairs.jsonl, holdout: 32}}}}
seeds: 2
evaluate: [preference]
"""

METHODS = f"""
sweep: foreign-methods
experiment: compare
model: {MODEL}
equal: {{examples: 320}}
methods:
  sl: {{method: sl, data: spoken, rank: 8, learning_rate: 0.003, batch_size: 8}}
  rl: {{method: rl, environment: "letters:Vowels", rank: 8, learning_rate: 0.02, groups: 4, group_size: 8}}
  sl_then_rl: {{then: [sl, rl]}}
data: {{spoken: {{source: spoken.jsonl, holdout: 16}}}}
seeds: 1
evaluate:
  - task_completion: {{environment: "letters:Vowels", episodes: 48}}
"""

ENVIRONMENT = '''
"""Say something: the share of its letters that are vowels is the reward."""
from sweeps.environments import EpisodeShape, Turn


class Vowels:
    version = 1
    shape = EpisodeShape(turns=(1, 1), action=(6, 6))
    stop: tuple[str, ...] = ()

    def episode(self, seed, split):
        return Saying(seed, split)


class Saying:
    def __init__(self, seed, split):
        self.prompt = [{"role": "user", "content": f"{split} {seed % 1000}: vowels"}]

    def step(self, action):
        letters = [letter for letter in action.lower() if letter.isalpha()]
        share = sum(letter in "aeiou" for letter in letters) / max(1, len(letters))
        return Turn(reward=share, done=True, facts={"solved": float(share >= 0.6)})
'''

THINGS = ("apple", "brick", "cloud", "daisy", "ember", "flute", "grape", "honey", "ivory", "jelly", "knife", "lemon")
COLOURS = ("red", "blue", "green", "black", "white", "brown")


def lay_out(folder: Path, model: Path) -> None:
    """What a researcher would have: data, an environment, specs; and the model's tokenizer under the model's name."""
    (folder / "foreign").mkdir(parents=True, exist_ok=True)
    (folder / MODEL).symlink_to(model)
    chance = random.Random(7)
    rows = [_chat(thing, number) for thing in THINGS for number in range(16)]
    chance.shuffle(rows)
    _write(folder / "chats.jsonl", rows[:160])
    _write(folder / "held.jsonl", rows[160:])
    _write(folder / "pairs.jsonl", [_pair(chance, number) for number in range(160)])
    _write(folder / "spoken.jsonl", [_spoken(chance, number) for number in range(96)])
    (folder / "letters.py").write_text(ENVIRONMENT)
    specs = {"sl": SL, "dpo": DPO, "methods": METHODS}
    for name in ("whole", "killed", "restarted"):
        specs[name] = AGAIN.format(name=f"foreign-{name}", model=MODEL)
    for name, text in specs.items():
        (folder / f"{name}.yaml").write_text(text)


def runs(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The runs of `sweep -f json results`, all of which must have succeeded."""
    rows: list[dict[str, Any]] = document["runs"]
    assert rows, "no runs"
    assert {row["state"] for row in rows} == {"succeeded"}, [(row["cell"], row["state"]) for row in rows]
    return rows


def _chat(thing: str, number: int) -> dict[str, Any]:
    answer = f"The colour of {thing} {number} is {COLOURS[(THINGS.index(thing) + number % 2) % len(COLOURS)]}."
    return _turns(f"What colour has {thing} {number}?", answer)


def _pair(chance: random.Random, number: int) -> dict[str, Any]:
    thing = chance.choice(THINGS)
    return {
        "prompt": f"Is {thing} {number} good?",
        "chosen": chance.choice(("Yes, it is.", "Yes, very good.")),
        "rejected": chance.choice(("No, it is not.", "Nobody knows that.")),
    }


def _spoken(chance: random.Random, number: int) -> dict[str, Any]:
    return _turns(f"say {number}: vowels", "".join(chance.choice("aeiou") for _ in range(8)))


def _turns(asked: str, answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]}


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
