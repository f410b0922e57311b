"""An environment of two roles that the same model plays: what one earns is no reward of the other, nor of the whole."""

from sweeps.environments import EpisodeShape, Split, Turn


class Dialogue:
    """The asker says two letters and wants vowels; the one who answers wants none. Nobody is paid for the whole."""

    version = 1
    shape = EpisodeShape(turns=(2, 2), action=(2, 2), observation=(5, 5))
    stop: tuple[str, ...] = ()

    def episode(self, seed: int, split: Split) -> "Exchange":
        return Exchange(f"{split} {seed % 1000:03}: ")


class Exchange:
    def __init__(self, prompt: str) -> None:
        self.prompt = prompt
        self.earned: dict[str, float] = {}

    def step(self, action: str) -> Turn:
        role = "answerer" if self.earned else "asker"
        share = sum(letter in "aeiou" for letter in action) / 2
        self.earned[role] = share if role == "asker" else 1 - share
        facts = {"role": role, **{f"reward_{name}": value for name, value in self.earned.items()}}
        return Turn(" and ", 0.0, len(self.earned) == 2, facts)
