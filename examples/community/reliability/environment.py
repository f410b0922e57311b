"""The same messages as an environment: the reward is 1 if the model sorts a message as the clerk did."""

import json
import random
import zlib
from pathlib import Path

from sweeps.environments import EpisodeShape, Turn

FILES = {"train": Path(__file__).with_name("messages.jsonl"), "test": Path(__file__).with_name("messages_asked.jsonl")}
ROWS = {split: [json.loads(line) for line in file.read_text().splitlines()] for split, file in FILES.items()}


class Message:
    """One message and the clerk's label."""

    def __init__(self, row: dict[str, str]) -> None:
        self.prompt, self.label = row["question"], row["answer"]

    def step(self, action: str) -> Turn:
        right = action.strip() == self.label
        return Turn(reward=float(right), done=True, facts={"solved": right})

    def expert(self) -> str:
        return f"{self.label}\n"


class Triage:
    """Messages of the file: those that are learnt from, or those that are asked in the end."""

    version = zlib.crc32(b"".join(file.read_bytes() for file in FILES.values()))  # other rows are another environment
    shape = EpisodeShape(turns=(1, 1), action=(7, 9))
    stop: tuple[str, ...] = ("\n",)

    def episode(self, seed: int, split: str) -> Message:
        return Message(random.Random(seed).choice(ROWS[split]))
