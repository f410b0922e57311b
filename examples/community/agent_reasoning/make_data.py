"""Write logs.jsonl: chats of clerks who know every call but one. When a tool fails, they try a cure by chance.

Replace the file by your own logs, one chat per line: {"messages": [{"role": "user", …}, {"role": "assistant", …}, …]}.
"""

import json
import random
from pathlib import Path
from typing import Any

from environment import Desk

CHATS = 1200


def play_clerk(seed: int) -> dict[str, Any]:
    """Play one order as a clerk does, solved or not, and return the chat."""
    chance, job = random.Random(f"clerk {seed}"), Desk().episode(seed, "train")
    messages, done = list(job.prompt), False
    while not done:
        action = chance.choice(job.list_cures()) if job.state == "failed" else job.expert()
        turn = job.step(action)
        messages += [{"role": "assistant", "content": action}, *turn.observation]
        done = turn.done
    return {"messages": messages}


if __name__ == "__main__":
    chats = [json.dumps(play_clerk(seed)) for seed in range(CHATS)]
    Path(__file__).with_name("logs.jsonl").write_text("\n".join(chats) + "\n")
