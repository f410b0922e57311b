"""Which service a model is on, and whose limits a stage runs under.

A service is named by the model, and nothing falls back to anything. One fleet has one account at each, so what is
found out about a service (its limits, whether it is down, what it has cost today) is kept under its name.

A *lane* is where a stage runs: service, kind of client and model. A *pool* is what the service limits: the concurrent
clients of one kind, whatever their models. Each lane may be limited further by a setting.
"""

from typing import Literal

OFFLINE_KEY = "tml-offline"  # tinker_offline takes any; the SDK wants this form
OFFLINE = "offline/"  # before the names of the models that tinker_offline serves
ANY_VOCABULARY = "offline/rehearsal"  # the one of them that reads the tokens of any tokenizer
SERVICES = ("offline", "tinker")
CLIENTS = ("training", "sampling")

Client = Literal["training", "sampling"]


def service_of(model: str) -> str:
    """`offline` or `tinker`."""
    return "offline" if model.startswith(OFFLINE) else "tinker"


def lane_of(model: str, client: Client = "training") -> str:
    """`tinker/training/Qwen/Qwen3-8B`; a colon in the model's name, which a key must not have, is a `~`."""
    return f"{service_of(model)}/{client}/{model}".replace(":", "~")


def pool_of(lane: str) -> str:
    """`tinker/training`."""
    return "/".join(lane.split("/", 2)[:2])
