"""An environment in which the untrained model does moderately well, so that there is something to learn at once."""

from sweeps.environments import EpisodeShape, Split, Turn


class Vowels:
    """Say two letters, twice: each vowel is worth a quarter."""

    version = 1
    shape = EpisodeShape(turns=(2, 2), action=(2, 2), observation=(5, 5))
    stop: tuple[str, ...] = ()

    def episode(self, seed: int, split: Split) -> "Saying":
        return Saying(f"{split} {seed % 1000:03}: ")


class Saying:
    def __init__(self, prompt: str) -> None:
        self.prompt = prompt
        self.said = ""

    def step(self, action: str) -> Turn:
        self.said += action
        vowels = sum(letter in "aeiou" for letter in action)
        return Turn(" and ", vowels / 4, len(self.said) >= 4, {"solved": float(len(self.said) >= 4)})
