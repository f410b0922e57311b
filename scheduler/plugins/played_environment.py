"""Play a user's environment in a process of the worker, where it is contained (`worker/rollouts/play_main.py`)."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from scheduler.errors import CodeUnusable
from sweeps.environments import Advice, EpisodeShape, Split, Text, Turn
from sweeps.environments.trials import LostEpisode

COMMAND = [sys.executable, "-W", "ignore", "-m", "worker.rollouts.play_main"]
PATIENCE = 10.0  # seconds for the process to end by itself


class PlayedEnvironment:
    """An environment in a process of its own. Raises CodeUnusable if it cannot be loaded."""

    def __init__(self, name: str) -> None:
        self._process = subprocess.Popen(
            [*COMMAND, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the command, which ends this process
        )
        self._stages = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the process: it ends with its input, and takes the environment along."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def open(self, split: Split) -> "PlayedStage":
        """Start a fresh process of the environment for the tasks of a split."""
        number, self._stages = self._stages, self._stages + 1
        known = self.ask({"verb": "open", "stage": number, "split": split})
        shape = EpisodeShape(*(tuple(span) for span in known["shape"]))
        return PlayedStage(self.ask, number, known["version"], shape, tuple(known["stop"]))

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and read its answer. Raises CodeUnusable."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = ""
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise CodeUnusable(f"the process that plays ended with status {self._process.wait()} and no answer")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise CodeUnusable(answer["error"])
        return answer


class PlayedStage:
    """One process of the environment, which plays the tasks of one split."""

    def __init__(
        self,
        ask: Callable[[Mapping[str, Any]], dict[str, Any]],
        number: int,
        version: int,
        shape: EpisodeShape,
        stop: tuple[str, ...],
    ) -> None:
        self._ask, self._number = ask, number
        self.version, self.shape, self.stop = version, shape, stop

    def begin(self, tasks: Mapping[int, int]) -> dict[int, Text | LostEpisode]:
        """Begin the episode of each number, on the task of a seed."""
        return self._request("begin", "tasks", tasks, lambda answer: answer["prompt"])

    def act(self, actions: Mapping[int, str]) -> dict[int, Turn | LostEpisode]:
        """Act once in each of these episodes."""
        return self._request("act", "actions", actions, lambda answer: Turn(*answer["turn"]))

    def advise(self, numbers: Sequence[int]) -> dict[int, Advice | LostEpisode]:
        """Ask each of these episodes for the right action, and for all actions."""
        return self._request("advise", "numbers", numbers, lambda answer: Advice(*answer["advice"]))

    def _request(self, verb: str, key: str, value: object, read: Callable[[dict[str, Any]], Any]) -> dict[int, Any]:
        answers = self._ask({"verb": verb, "stage": self._number, key: value})
        return {
            int(number): LostEpisode(answer["lost"]) if "lost" in answer else read(answer)
            for number, answer in answers.items()
        }
