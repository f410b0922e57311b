"""Write beats.csv: windows of eight heart beats as symbols, each with its rhythm; and two files beside it.

new_people.csv has other subjects. shuffled.csv is the null twin of beats.csv: each subject's labels are another's.
Replace beats.csv by your own windows, with the columns signal, label, subject and record.

A beat is a word, such as `dPnKq`: the interval since the last beat (a to j, a tenth of a second each), a P wave (P) or
none (o), a narrow (n) or wide (W) QRS complex, and the shape of the T wave (two letters).
"""

import csv
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

SUBJECTS, NEW_SUBJECTS, RECORDS, WINDOWS, BEATS = 180, 30, 2, 3, 8
RHYTHMS = ("sinus", "ectopic", "afib")
SHAPES = [first + second for first in "KLMN" for second in "qrst"]


class Window(NamedTuple):
    signal: str
    label: str
    subject: str
    record: str


class Subject:
    """Somebody with a rhythm that most windows have, a heart rate, some noise, and a T wave of a shape of their own."""

    def __init__(self, chance: random.Random, number: int, prefix: str) -> None:
        self.chance, self.name = chance, f"{prefix}{number:03d}"
        self.usual = RHYTHMS[number % len(RHYTHMS)]
        self.rate = chance.gauss(72, 11)  # beats per minute
        self.jitter = chance.uniform(0.02, 0.06)  # of an interval
        self.clear_p = chance.uniform(0.4, 0.95)  # how often a P wave is seen where there is one
        self.noise = chance.uniform(0, 0.15)  # how often a narrow beat looks wide
        self.strays = chance.uniform(0, 0.03)  # ectopic beats in any rhythm
        self.shape = chance.choice(SHAPES)

    def make_window(self) -> tuple[str, str]:
        """Draw a window and its rhythm: an ectopic beat comes early, is wide, and a pause follows it."""
        rhythm = self.usual if self.chance.random() < 0.8 else self.chance.choice(RHYTHMS)
        base, words, pause = 60 / (self.rate + self.chance.gauss(0, 2)), [], False
        for _ in range(BEATS):
            ectopic = not pause and self.chance.random() < (0.3 if rhythm == "ectopic" else self.strays)
            spread = 0.2 if rhythm == "afib" else self.jitter
            interval = base * self.chance.gauss(1, spread) * (1.3 if pause else 1) * (0.65 if ectopic else 1)
            words.append(self.write_beat(interval, ectopic=ectopic, has_p=not ectopic and rhythm != "afib"))
            pause = ectopic
        return " ".join(words), rhythm

    def write_beat(self, interval: float, *, ectopic: bool, has_p: bool) -> str:
        """Write a beat as the recorder sees it."""
        length = "abcdefghij"[min(max(int(interval * 10) - 4, 0), 9)]
        seen = self.chance.random() < (self.clear_p if has_p else 0.1)
        wide = self.chance.random() < (0.9 if ectopic else self.noise)
        shape = self.shape if self.chance.random() < 0.9 else self.chance.choice(SHAPES)
        return f"{length}{'P' if seen else 'o'}{'W' if wide else 'n'}{shape}"


def make_windows(chance: random.Random, subjects: int, prefix: str) -> list[list[Window]]:
    """Draw the windows of each subject."""
    return [
        [
            Window(*subject.make_window(), subject.name, f"{subject.name}-{record}")
            for record in range(RECORDS)
            for _ in range(WINDOWS)
        ]
        for subject in (Subject(chance, number, prefix) for number in range(subjects))
    ]


def shuffle_labels(chance: random.Random, people: Sequence[Sequence[Window]]) -> list[list[Window]]:
    """Give each subject the labels of another: a label still says who it is, and nothing about the signal."""
    others = chance.sample(people, len(people))
    return [
        [window._replace(label=other.label) for window, other in zip(person, labels, strict=True)]
        for person, labels in zip(people, others, strict=True)
    ]


def write_windows(file: str, people: Sequence[Sequence[Window]]) -> None:
    with Path(__file__).with_name(file).open("w", newline="") as table:
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(Window._fields)
        writer.writerows(window for person in people for window in person)


if __name__ == "__main__":
    chance = random.Random(1)
    people = make_windows(chance, SUBJECTS, "P")
    write_windows("beats.csv", people)
    write_windows("new_people.csv", make_windows(chance, NEW_SUBJECTS, "N"))
    write_windows("shuffled.csv", shuffle_labels(chance, people))
