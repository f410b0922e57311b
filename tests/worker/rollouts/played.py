"""Environments as people write them, for `sweep play`: a good one, and one for each thing that it finds wrong."""

import itertools
import os
import random
import time

from sweeps.environments import Environment, Episode, EpisodeShape, Messages, Split, Text, Turn


class Sum:
    """A sum of two numbers, in two turns: first the tens are named, then the whole."""

    def __init__(self, seed: int, split: str) -> None:
        chance = random.Random(seed)
        while True:
            self.a, self.b = chance.randrange(50), chance.randrange(50)
            if ("test" if (7 * self.a + self.b) % 4 == 0 else "train") == split:
                break
        self.prompt: Text = f"{self.a}+{self.b}: tens="
        self.turns = 0

    def step(self, action: str) -> Turn:
        self.turns += 1
        right = action.strip() == self.expert_text(self.turns)
        done = self.turns == 2
        return Turn("" if done else " sum=", float(right and done), done, {"solved": float(right and done)})

    def expert_text(self, turn: int) -> str:
        return str((self.a + self.b) // 10 if turn == 1 else self.a + self.b)

    def expert(self) -> str:
        return f"{self.expert_text(self.turns + 1)}\n"


class Sums(Environment):
    version = 1
    shape = EpisodeShape(turns=(2, 2), action=(1, 8), observation=(0, 8))
    stop: tuple[str, ...] = ("\n",)
    made: type[Sum] = Sum

    def episode(self, seed: int, split: Split) -> Episode:
        return self.made(seed, split)


class Chat(Sum):
    """The same as a chat, in wide characters, with a message that would steer a terminal."""

    def __init__(self, seed: int, split: str) -> None:
        super().__init__(seed, split)
        words = f"計算してください \x1b[31m{self.a}+{self.b} " + "長い文章" * 40
        shown: Messages = [
            {"role": "user", "content": "1+1"},
            {"role": "assistant", "content": "2"},
            {"role": "user", "content": words},
        ]
        self.prompt = shown

    def step(self, action: str) -> Turn:
        turn = super().step(action)
        return turn if turn.done else turn._replace(observation=[{"role": "tool", "content": "and the sum?"}])


class Chats(Sums):
    stop: tuple[str, ...] = ()
    made = Chat


class Silent(Sum):
    expert = None  # type: ignore[assignment]  # an episode need not have one


class NoExpert(Sums):
    made = Silent


class Raising(Sum):
    def step(self, action: str) -> Turn:
        raise ValueError(f"no such move: {action.strip()}")


class Raises(Sums):
    made = Raising


class Listing(Sum):
    def step(self, action: str) -> Turn:
        return (action, 1.0)  # type: ignore[return-value]  # that is the point


class WrongReturn(Sums):
    made = Listing


class BadAdvice(Sum):
    def expert(self) -> str:
        return 7  # type: ignore[return-value]  # that is the point


class WrongExpert(Sums):
    made = BadAdvice


class WrongShape(Sums):
    shape = EpisodeShape(turns=(3, 1), action=(1, 8))


class TooLong(Sums):
    shape = EpisodeShape(turns=(1, 1), action=(1, 8))


class TooShort(Sums):
    shape = EpisodeShape(turns=(3, 4), action=(1, 8))


class Narrow(Sums):
    shape = EpisodeShape(turns=(2, 2), action=(1, 2))


class Timed(Sum):
    def step(self, action: str) -> Turn:
        turn = super().step(action)
        return turn._replace(facts={**turn.facts, "at": time.time()})


class Clock(Sums):
    made = Timed


class Stateful(Sums):
    """Keeps the state of an episode in the environment."""

    def __init__(self) -> None:
        self.count = itertools.count()

    def episode(self, seed: int, split: Split) -> Episode:
        episode = Sum(seed, split)
        episode.prompt = f"{next(self.count)}: {episode.prompt}"
        return episode


class Mutating(Sum):
    """Its expert changes the episode."""

    def expert(self) -> str:
        action = super().expert()
        self.a += 1
        return action

    def step(self, action: str) -> Turn:
        turn = super().step(action)
        return turn._replace(facts={**turn.facts, "a": self.a})


class Moving(Sums):
    made = Mutating


class Shared(Sums):
    """The same tasks in both splits."""

    def episode(self, seed: int, split: Split) -> Episode:
        del split
        return Sum(seed + 1, "train")


class Mixing(Sum):
    def step(self, action: str) -> Turn:
        turn = super().step(action)
        return turn if turn.done else turn._replace(observation=[{"role": "user", "content": "sum?"}])


class Mixture(Sums):
    made = Mixing


class Wrong(Sum):
    def expert(self) -> str:
        return "no\n"


class Unsolved(Sums):
    made = Wrong


class Lost(Sum):
    def __init__(self, seed: int, split: str) -> None:
        super().__init__(seed, split)
        self.seed = seed

    def expert(self) -> str:
        if self.turns == 1 and self.seed == 2:
            raise ValueError("the expert does not know")
        if self.turns == 1 and self.seed == 4:
            os._exit(3)
        return super().expert()


class SometimesLost(Sums):
    made = Lost


class FewTasks(Sums):
    """Three tasks."""

    def episode(self, seed: int, split: Split) -> Episode:
        return Sum(seed % 3, split)
