"""Write logs.jsonl: chats of traders who follow news three times in four, and rumours most eagerly.

Replace the file by logs of your own desk, one chat per line, to begin from what your traders did.
"""

import json
import random
from pathlib import Path
from typing import Any

from environment import Market, Session

CHATS, FOLLOWING = 400, 0.75  # and how often a trader follows the news; else the order is one by chance
FOLLOW = {"beat": ["long(1)", "long(2)"], "miss": ["short(1)", "short(2)"], "rumour": ["long(2)"], "quiet": ["flat()"]}


def choose_order(chance: random.Random, session: Session) -> str:
    """Choose an order as the desk's traders do: with the news, or by chance."""
    follows = chance.random() < FOLLOWING
    return chance.choice(FOLLOW[session.path[session.event].news] if follows else session.list_actions())


def trade(seed: int) -> dict[str, Any]:
    """Trade one path of the training split as the desk does, and return the chat."""
    chance, session = random.Random(f"trader {seed}"), Market().episode(seed, "train")
    messages, done = list(session.prompt), False
    while not done:
        action = choose_order(chance, session)
        turn = session.step(action)
        messages += [{"role": "assistant", "content": action}, *turn.observation]
        done = turn.done
    return {"messages": messages}


if __name__ == "__main__":
    chats = [json.dumps(trade(seed)) for seed in range(CHATS)]
    Path(__file__).with_name("logs.jsonl").write_text("\n".join(chats) + "\n")
