"""Write logs.jsonl: chats of traders who agree about earnings and are divided about rumours.

Replace the file by logs of your own desk, one chat per line, to begin from what your traders did.
"""

import json
import random
from pathlib import Path
from typing import Any

from environment import Market

CHATS = 400
ORDERS = {
    "beat": ["long(1)", "long(2)"],
    "miss": ["short(1)", "short(2)"],
    "rumour": ["long(2)", "flat()"],
    "quiet": ["flat()", "hold()"],
}


def trade(seed: int) -> dict[str, Any]:
    """Trade one path of the training split as the desk does, and return the chat."""
    chance, session = random.Random(f"trader {seed}"), Market().episode(seed, "train")
    messages, done = list(session.prompt), False
    while not done:
        action = chance.choice(ORDERS[session.path[session.event].news])
        turn = session.step(action)
        messages += [{"role": "assistant", "content": action}, *turn.observation]
        done = turn.done
    return {"messages": messages}


if __name__ == "__main__":
    chats = [json.dumps(trade(seed)) for seed in range(CHATS)]
    Path(__file__).with_name("logs.jsonl").write_text("\n".join(chats) + "\n")
