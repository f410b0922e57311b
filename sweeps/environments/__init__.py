"""Environments: the protocol, and the built-in tasks in which a model is trained and evaluated by acting.

An environment is a family of tasks. A task is an episode: the model reads its prompt and acts, reads the observation
and acts again, until the episode is over. One answer to one question, a conversation with tools and a simulation with
one result at the end are all episodes, of one turn or many.

Everything in an episode follows from its seed, its split and the actions. So a resumed run continues as if it had never
stopped, and an episode can be replayed up to the point where it was lost.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

Split = Literal["train", "test"]
"""Which tasks: no task of "test" is also in "train"."""
Messages = Sequence[Mapping[str, Any]]
Text = str | Messages
"""What a model reads: plain text as it is, or messages (`role`, `content`) for the renderer of a chat model."""

REGIME = "regime"  # a fact that is a text: of which kind the episode is, "bull"
ROLE = "role"  # a fact that is a text: who has just acted, "buyer"
ROLE_REWARD = "reward_"  # before the name of a role: the fact that says what the role has earned so far
Facts = Mapping[str, Any]
"""Numbers of the episode so far: `solved` (0 or 1), `drawdown`, …; and the texts `regime` and `role`."""
NOTHING: Facts = MappingProxyType({})


class Turn(NamedTuple):
    """The result of an action."""

    observation: Text = ""  # what the model reads next; empty at the end of an episode
    reward: float = 0.0  # for this action: an episode's reward is the sum over its turns
    done: bool = False
    facts: Facts = NOTHING


def list_numbers(facts: Facts) -> dict[str, float]:
    """List the facts that are numbers."""
    return {name: value for name, value in facts.items() if not isinstance(value, str)}


def read_regime(facts: Facts) -> str:
    """Read of which kind an episode is; nothing if the environment does not say it."""
    return _read_text(facts, REGIME)


def read_role(facts: Facts) -> str:
    """Read who has just acted; nothing if the environment has no roles."""
    return _read_text(facts, ROLE)


def _read_text(facts: Facts, name: str) -> str:
    value = facts.get(name, "")
    return value if isinstance(value, str) else ""


class EpisodeShape(NamedTuple):
    """How long episodes are: (least, most) of each. The most is a limit, the least is for estimates.

    An action ends at its most tokens; an episode that is not over after its last turn ends with the reward that it has.
    Tokens are those of the model's tokenizer.
    """

    turns: tuple[int, int] = (1, 1)
    action: tuple[int, int] = (1, 16)  # tokens of one action, with what ends it
    observation: tuple[int, int] = (0, 0)  # tokens of one answer of the environment


class Advice(NamedTuple):
    """What an episode may know besides, for demonstrations and checks: the right action now, and every action."""

    action: str | None = None  # from its method `expert()`; None without one
    actions: tuple[str, ...] = ()  # from its method `list_actions()`


class Episode(Protocol):
    """One task, played once. It may have `expert()` and `list_actions()` too: see `Advice`."""

    @property
    def prompt(self) -> Text: ...

    def step(self, action: str) -> Turn:
        """Return the result of the next action, whose text includes the stop text that ended it, if any."""


@runtime_checkable
class Environment(Protocol):
    """A family of tasks. Its version is part of the identity of a stage: raise it if a seed means another task."""

    @property
    def version(self) -> int: ...
    @property
    def shape(self) -> EpisodeShape: ...
    @property
    def stop(self) -> tuple[str, ...]:
        """Texts that end an action, besides the end of a turn of the model; none may be empty."""

    def episode(self, seed: int, split: Split) -> Episode:
        """Begin the task of a seed, from 0 to 2^63 - 1; another seed may mean the same task."""


class EpisodeLost(Exception):
    """An episode whose environment failed in a process of its own. The message says what it did."""


class NamedEnvironment(NamedTuple):
    """An environment and its name; `code` is the digest of its code, and part of the identity of a stage."""

    name: str
    code: str
    environment: Environment
