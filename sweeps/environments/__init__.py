"""What a model can be trained and measured in by acting: a small protocol, and the tasks that come with it.

An environment is a family of tasks. A task is an episode: the model reads its prompt and acts, reads what the
environment answers and acts again, until it is over. One answer to one question, a conversation with tools and a
simulation that tells its result at the end are all episodes, of one turn or of many.

Everything about an episode follows from its seed, its split and the actions: whoever repeats them sees the same. So a
run that is resumed goes on as if it had never stopped, and an episode can be played again up to where it was lost.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

Split = Literal["train", "test"]
"""Of which tasks: those of "test" are never among those of "train"."""
Messages = Sequence[Mapping[str, Any]]
Text = str | Messages
"""What a model reads: plain text, taken as it is, or messages (`role`, `content`) for a chat model's renderer."""

NOTHING: Mapping[str, float] = MappingProxyType({})


class Turn(NamedTuple):
    """What the environment answers to an action."""

    observation: Text = ""  # what the model reads next; of an episode that is over, nothing
    reward: float = 0.0  # for this action: an episode's reward is the sum over its turns
    done: bool = False
    facts: Mapping[str, float] = NOTHING  # about the episode so far, to be measured: `solved` (0 or 1), `drawdown`, …


class EpisodeShape(NamedTuple):
    """How long episodes are: the least and the most. The most is kept to, the least is for estimates.

    An action that reaches its most ends there; an episode that is not over after its last turn ends with the reward
    that it has. Tokens are those of the model's tokenizer.
    """

    turns: tuple[int, int] = (1, 1)
    action: tuple[int, int] = (1, 16)  # tokens of one action, with what ends it
    observation: tuple[int, int] = (0, 0)  # tokens of one answer of the environment


class Episode(Protocol):
    """One task, played once."""

    @property
    def prompt(self) -> Text: ...

    def step(self, action: str) -> Turn:
        """The answer to the next action: its text, with the stop text that ended it if one did."""


@runtime_checkable
class Environment(Protocol):
    """A family of tasks. Its version is part of what a result is: raise it when the same seed means another task."""

    @property
    def version(self) -> int: ...
    @property
    def shape(self) -> EpisodeShape: ...
    @property
    def stop(self) -> tuple[str, ...]:
        """Texts that end an action, beside the model's own end of a turn; none may be empty."""

    def episode(self, seed: int, split: Split) -> Episode:
        """The task of a seed, from 0 to 2^63 - 1; another seed may mean the same task."""


class NamedEnvironment(NamedTuple):
    """An environment that was found by its name; `code` tells two of one name apart, and is part of what a stage is."""

    name: str
    code: str
    environment: Environment
