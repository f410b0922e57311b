"""Environments as people write them, and as they fail. Each seed of `Mixed` fails in its own way."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sweeps.environments import Environment, Episode, EpisodeShape, Split, Text, Turn

WAYS: dict[int, Callable[[Turn], Any]] = {}
"""How an episode goes wrong, and in which step: by seed."""


class Count:
    """Counts to three, remembering what it was told; the prompt and every answer follow from the seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.told: list[str] = []
        self.prompt: Text = f"count {self.chance.randrange(1000)}"

    def step(self, action: str) -> Turn:
        self.told.append(action)
        points = self.chance.random()
        return Turn(
            f"{'/'.join(self.told)} {points}", points, len(self.told) == 3, {"told": len(self.told), "points": points}
        )


class Counting:
    version = 1
    shape = EpisodeShape(turns=(3, 3), action=(1, 8), observation=(1, 32))
    stop: tuple[str, ...] = ("\n",)

    def episode(self, seed: int, split: Split) -> Episode:  # noqa: ARG002 - the same tasks for both
        return Count(seed)


class Odd(Count):
    """Like the others until the second step."""

    def __init__(self, seed: int, way: Callable[[Turn], Any]) -> None:
        super().__init__(seed)
        self.way = way

    def step(self, action: str) -> Turn:
        turn = super().step(action)
        if len(self.told) != 2:
            return turn
        answer: Turn = self.way(turn)  # or something else: that is the point
        return answer


def way(seed: int) -> Callable[[Callable[[Turn], object]], Callable[[Turn], object]]:
    """Of the episode of this seed."""

    def kept(way: Callable[[Turn], object]) -> Callable[[Turn], object]:
        WAYS[seed] = way
        return way

    return kept


@way(101)
def raises(_: Turn) -> object:
    raise ValueError("no such move")


@way(102)
def hangs(_: Turn) -> object:
    return threading.Event().wait()


@way(103)
def leaves(_: Turn) -> object:
    os._exit(3)


@way(104)
def kills_itself(_: Turn) -> object:
    os.kill(os.getpid(), signal.SIGKILL)
    return threading.Event().wait()


@way(105)
def nan(turn: Turn) -> object:
    return turn._replace(reward=float("nan"))


@way(106)
def infinite_fact(turn: Turn) -> object:
    return turn._replace(facts={"solved": float("inf")})


@way(107)
def returns_far_too_much(turn: Turn) -> object:
    return turn._replace(observation="x" * 2**28)


@way(108)
def takes_all_memory(_: Turn) -> object:
    return bytearray(2**34)


@way(109)
def returns_another_thing(_: Turn) -> object:
    return ("text", 1.0, False)


@way(110)
def returns_bytes(turn: Turn) -> object:
    values: list[Any] = [b"text", *turn[1:]]
    return Turn(*values)


@way(111)
def a_reward_of_text(turn: Turn) -> object:
    values: list[Any] = [turn.observation, "1", *turn[2:]]
    return Turn(*values)


@way(112)
def leaves_the_interpreter(_: Turn) -> object:
    return sys.exit("enough")


@way(113)
def is_within_itself(turn: Turn) -> object:
    endless: list[Any] = []
    endless.append({"role": "user", "content": "", "more": endless})
    return turn._replace(observation=endless)


@way(201)
def prints(turn: Turn) -> object:
    print('12 turn ["mine", 1.0, true, {}]', flush=True)  # noqa: T201 - as people do
    os.write(1, b"x" * 2**18 + b"\n")
    sys.stderr.write("y" * 2**18)
    return turn


@way(202)
def forks_and_comes_back(turn: Turn) -> object:
    os.fork()
    return turn


@way(203)
def starts_a_program(turn: Turn) -> object:
    assert sys.stdin.read() == ""
    subprocess.run([sys.executable, "-c", "print(1)"], check=True)
    return turn


class Mixed(Counting):
    def episode(self, seed: int, split: Split) -> Episode:  # noqa: ARG002 - the same tasks for both
        return Odd(seed, WAYS[seed]) if seed in WAYS else Count(seed)


class Moody(Count):
    """What it says in its first step depends on the process."""

    def step(self, action: str) -> Turn:
        turn = super().step(action)
        return turn._replace(observation=os.urandom(4).hex()) if len(self.told) == 1 else turn


class Forgetful(Counting):
    """The episode of seed 7 is another each time it is played."""

    def episode(self, seed: int, split: Split) -> Episode:
        return Moody(seed) if seed == 7 else Mixed().episode(seed, split)


class Telling(Counting):
    """Its prompt is what the process knows."""

    def episode(self, seed: int, split: Split) -> Episode:
        episode = Count(seed)
        episode.prompt = [
            {"role": "user", "content": f"{name}={value}"} for name, value in {**os.environ, "split": split}.items()
        ]
        return episode


class Leaving(Counting):
    """Starts a program that would outlive it, and hangs."""

    def episode(self, seed: int, split: Split) -> Episode:
        subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=seed == 2)
        (Path.cwd() / "hangs").touch()
        threading.Event().wait()
        return super().episode(seed, split)


class Starving(Counting):
    """Its prompts go wrong."""

    def episode(self, seed: int, split: Split) -> Episode:
        if seed == 1:
            raise LookupError("no task of that seed")
        if seed == 2:
            os._exit(4)
        episode = super().episode(seed, split)
        if seed == 3:
            episode.prompt = ""  # type: ignore[misc]
        if seed == 4:
            episode.prompt = [{"role": "user", "content": None}]  # type: ignore[misc]
        return episode


def counting() -> Environment:
    return Counting()


A_COUNTING = Counting()
NO_ENVIRONMENT = 7
