"""Read of an environment or a check what a plan needs, without running other people's code in this process.

Planning happens where the API key is: on a person's machine, or in a server that plans for several people. So the code
is loaded, inspected and asked for its prompts in the sandbox in which workers play it, under the same limits. The
environments that come with this program run here.
"""

from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from scheduler.plugins.containment.sandbox import Sandbox, SandboxLimits
from scheduler.plugins.user_environments import BUILT_IN, find_environment
from sweeps.environments import EpisodeLost, NamedEnvironment, Split, Text, Turn
from sweeps.environments.trials import LostEpisode


class ContainedEnvironment:
    """An environment in processes of its own, one for each split that is asked for. Begins one episode at a time."""

    def __init__(self, name: str, folder: Path, limits: SandboxLimits, closing: ExitStack) -> None:
        """Load it; its processes end with `closing`. Raises CodeUnusable."""
        self._name, self._folder, self._limits, self._closing = name, folder, limits, closing
        self._sandboxes: dict[Split, Sandbox] = {}
        self._begun = 0
        loaded = self._open("train")
        self.version, self.shape, self.stop, self.code = loaded.version, loaded.shape, loaded.stop, loaded.code

    def episode(self, seed: int, split: Split) -> "ContainedEpisode":
        """Begin the task of a seed; the episode before is forgotten."""
        sandbox = self._open(split)
        sandbox.forget([self._begun])
        self._begun += 1
        return ContainedEpisode(sandbox, self._begun, seed)

    def _open(self, split: Split) -> Sandbox:
        if split not in self._sandboxes:
            sandbox = Sandbox(self._name, split=split, limits=self._limits, folder=self._folder)
            self._sandboxes[split] = self._closing.enter_context(sandbox)
        return self._sandboxes[split]


class ContainedEpisode:
    """One task."""

    def __init__(self, sandbox: Sandbox, number: int, seed: int) -> None:
        self._sandbox, self._number, self._seed = sandbox, number, seed

    @cached_property
    def prompt(self) -> Text:
        """The prompt. Raises EpisodeLost."""
        prompt = self._sandbox.begin({self._number: self._seed})[self._number]
        if isinstance(prompt, LostEpisode):
            raise EpisodeLost(prompt.what)
        return prompt

    def step(self, action: str) -> Turn:
        """Act once. Raises EpisodeLost."""
        assert self.prompt is not None  # begins it
        turn = self._sandbox.act({self._number: action})[self._number]
        if isinstance(turn, LostEpisode):
            raise EpisodeLost(turn.what)
        return turn


def load_contained(name: str, folder: Path, limits: SandboxLimits, closing: ExitStack) -> NamedEnvironment:
    """Load an environment for a plan, if it is a user's in a process that ends with `closing`. Raises CodeUnusable."""
    if name.startswith(BUILT_IN):
        built_in = find_environment(name, folder)
        return NamedEnvironment(name, built_in.code, built_in.environment)
    environment = ContainedEnvironment(name, folder, limits, closing)
    return NamedEnvironment(name, environment.code, environment)


def read_check_code(name: str, folder: Path, limits: SandboxLimits) -> str:
    """Load a user's check, and return the digest of its code. Raises CodeUnusable."""
    with Sandbox(name, split="test", kind="check", limits=limits, folder=folder) as sandbox:
        return sandbox.code
