"""Play an environment for `sweep play`: python -m worker.rollouts.play_main NAME.

It keeps the environment in the sandbox in which workers play, so that it meets the same containment and the same
checks. On standard input come requests, one JSON object a line; each is answered by one object on standard output:

    {"verb": "open", "stage": 0, "split": "train"}              {"version": 1, "shape": […], "stop": […]}
    {"verb": "begin", "stage": 0, "tasks": {"1": 17}}           {"1": {"prompt": …}}
    {"verb": "act", "stage": 0, "actions": {"1": "text"}}       {"1": {"turn": [observation, reward, done, facts]}}
    {"verb": "advise", "stage": 0, "numbers": [1]}              {"1": {"advice": [action, actions]}}

An episode that is lost has {"lost": CAUSE}. A stage is one process of the environment. {"error": …} answers a request
that ends everything. It ends with its input.
"""

import json
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from scheduler.errors import SchedulerError
from scheduler.settings import Settings, read_settings
from sweeps.environments import Advice, Text, Turn
from worker.outcome import StageError
from worker.rollouts.sandbox import BrokenEpisode, Sandbox, read_limits


class PlayedStages:
    """The processes of one environment, by number."""

    def __init__(self, name: str, settings: Settings, closing: ExitStack) -> None:
        self._name, self._settings, self._closing = name, settings, closing
        self._stages: dict[int, Sandbox] = {}

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one request. Raises StageError if the environment cannot be loaded."""
        if request["verb"] == "open":
            return self._open(request)
        stage = self._stages[request["stage"]]
        answers: Mapping[int, Any]
        match request["verb"]:
            case "begin":
                answers = stage.begin({int(number): seed for number, seed in request["tasks"].items()})
            case "act":
                answers = stage.act({int(number): action for number, action in request["actions"].items()})
            case _:
                answers = stage.advise(request["numbers"])
        return {str(number): _describe(answer) for number, answer in answers.items()}

    def _open(self, request: Mapping[str, Any]) -> dict[str, Any]:
        sandbox = Sandbox(
            self._name,
            split=request["split"],
            limits=read_limits(self._settings),
            folder=self._settings.environments,
        )
        stage = self._stages[request["stage"]] = self._closing.enter_context(sandbox)
        return {"version": stage.version, "shape": stage.shape, "stop": stage.stop}


def _describe(answer: Text | Turn | Advice | BrokenEpisode) -> dict[str, Any]:
    match answer:
        case BrokenEpisode(cause):
            return {"lost": cause}
        case Turn():
            return {"turn": answer}
        case Advice():
            return {"advice": answer}
    return {"prompt": answer}


def main() -> int:
    """Return the exit status: 0, or 1 after an error."""
    try:
        with ExitStack() as closing:
            stages = PlayedStages(sys.argv[1], read_settings(), closing)
            for line in sys.stdin:
                _write_json(stages.answer(json.loads(line)))
    except (SchedulerError, StageError) as error:
        _write_json({"error": str(error)})
        return 1
    except (BrokenPipeError, KeyboardInterrupt):  # nobody reads any more
        return 1
    return 0


def _write_json(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
