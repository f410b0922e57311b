"""Name the service of a model, the lane and pool of a stage, and the task of an attempt.

The model's name decides the service; there is no fallback. A fleet has one account at each service, so its limits,
its health and today's cost are stored under the service's name.

A *lane* is where a stage runs: service, kind of client and model. A *pool* is what the service limits: concurrent
clients of one kind, whatever their models. A setting can limit a lane further.
"""

from collections.abc import Iterable
from typing import Literal

OFFLINE_KEY = "tml-offline"  # tinker_offline accepts any; the SDK requires this form
OFFLINE = "offline/"  # prefix of the models that tinker_offline serves
ANY_VOCABULARY = "offline/rehearsal"  # its one model that reads the tokens of any tokenizer
SERVICES = ("offline", "tinker")
CLIENTS = ("training", "sampling")

Client = Literal["training", "sampling"]


def name_task(stage: str, attempt: int) -> str:
    """Name the task of an attempt, as Celery and Flower know it. A nudge that comes twice has the same name."""
    return f"{stage}-{attempt}"


def find_service(model: str) -> str:
    """Return `offline` or `tinker`."""
    return "offline" if model.startswith(OFFLINE) else "tinker"


def describe_pretend_price(models: Iterable[str]) -> str:
    """Say that a price is no bill, where all of these models are offline models; else ""."""
    free = all(find_service(model) == "offline" for model in models)
    return "a pretend price from the price list; offline models cost nothing" if free else ""


def make_lane(model: str, client: Client = "training") -> str:
    """Return a lane such as `tinker/training/Qwen/Qwen3-8B`. A colon, which a Redis key must not have, becomes `~`."""
    return f"{find_service(model)}/{client}/{model}".replace(":", "~")


def find_pool(lane: str) -> str:
    """Return the pool of a lane, such as `tinker/training`."""
    return "/".join(lane.split("/", 2)[:2])
