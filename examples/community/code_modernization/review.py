"""Let a writer and a reviewer share a task: the writer drafts a line, the reviewer reads it, the writer writes again.

The writer may also submit at once, by ending the line with `# done`. So one environment measures both ways of working.
`python review.py` writes the transcripts alone.jsonl and reviewed.jsonl, from tasks of the split `train`.
"""

import json
import random
import zlib
from pathlib import Path

from line_checks import behaves
from make_data import WORDS, draw_rule

from sweeps.environments import EpisodeShape, Turn

DONE = "  # done"
FAULTY = 0.3  # the share of drafts in the transcripts that keep the old line
ROWS = 200


def draw_task(chance: random.Random, split: str) -> tuple[str, list[str]]:
    """Draw an old line of this split, with its answers: a hash of the line says to which split it belongs."""
    while True:
        names = [name + chance.choice(["", "_a", "_b", "1", "2"]) for name in chance.sample(WORDS, 2)]
        old, new, frame, inputs, run = draw_rule(chance, *names)
        if (zlib.crc32(old.encode()) % 4 == 0) == (split == "test"):
            case = {"frame": frame, "inputs": inputs, "saw": [run(*values) for values in inputs]}
            return old, [new, json.dumps(case)]


class Rewriting:
    """One line to rewrite: a draft, a review, a second version; or one version that is submitted at once."""

    def __init__(self, seed: int, split: str) -> None:
        old, self.answers = draw_task(random.Random(seed), split)
        self.prompt = f"User: Rewrite: {old}\n\nWriter: "
        self.written: list[str] = []

    def step(self, action: str) -> Turn:
        """Take a draft, a review, or the last version."""
        self.written.append(action.strip())
        if len(self.written) == 2:
            return Turn("Writer: ", 0.0, False, {"role": "reviewer"})
        submitted = action.rstrip().endswith(DONE.strip())
        if len(self.written) == 1 and not submitted:
            return Turn("Reviewer: ", 0.0, False, {"role": "writer"})
        right = float(behaves(action, self.answers))
        facts = {"role": "writer", "solved": right, "calls": len(self.written), "fewest_calls": 1}
        if len(self.written) == 3:
            facts["rescued"] = right - float(behaves(self.written[0], self.answers))
        return Turn("", right, True, facts)


class Desk:
    """The family of these tasks."""

    version = 1
    shape = EpisodeShape(turns=(1, 3), action=(1, 60), observation=(0, 12))
    stop: tuple[str, ...] = ("\n",)

    def episode(self, seed: int, split: str) -> Rewriting:
        """Return the episode of this seed."""
        return Rewriting(seed, split)


def part(text: str, *, loss: bool) -> dict[str, object]:
    """Return a part of a transcript; only parts with loss are learnt."""
    return {"text": text, "loss": loss}


def tell_episode(chance: random.Random, *, reviewed: bool) -> list[dict[str, object]]:
    """Tell an episode as it should go; a faulty draft is read and not learnt."""
    old, (new, _) = draw_task(chance, "train")
    prompt = part(f"User: Rewrite: {old}\n\nWriter: ", loss=False)
    if not reviewed:
        return [prompt, part(f"{new}{DONE}\n", loss=True)]
    faulty = chance.random() < FAULTY
    return [
        prompt,
        part(f"{old if faulty else new}\n", loss=not faulty),
        part("Reviewer: ", loss=False),
        part("this is the old line\n" if faulty else "fine\n", loss=True),
        part("Writer: ", loss=False),
        part(f"{new}\n", loss=True),
    ]


if __name__ == "__main__":
    for name, reviewed in (("alone.jsonl", False), ("reviewed.jsonl", True)):
        chance = random.Random(3)
        rows = [json.dumps({"parts": tell_episode(chance, reviewed=reviewed)}) for _ in range(ROWS)]
        Path(__file__).with_name(name).write_text("\n".join(rows) + "\n")
