"""A nudge names its attempt, so that a page finds its row in Flower, and Flower's row says which page it has."""

import json
from typing import Any

from scheduler.engine.dispatch import QUEUE, Nudges
from scheduler.services import name_task
from scheduler.state import keys
from tests.scheduler.night import Night
from tests.support import RedisServer


def test_a_nudge_names_its_attempt_and_the_page_of_its_stage(night: Night, redis: RedisServer) -> None:
    nudges = Nudges(redis.url)
    assert nudges.send("train-a", 2, "train a")
    nudges.close()
    client: Any = night.store.client
    headers = json.loads(client.rpop(f"{keys.BROKER}{QUEUE}"))["headers"]
    assert (headers["id"], headers["argsrepr"]) == (name_task("train-a", 2), "train a")
    assert "/stages/train-a" in headers["kwargsrepr"]
