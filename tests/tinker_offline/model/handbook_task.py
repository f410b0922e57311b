"""Questions over a handbook: four passages in sentences, of which one answers or none; near misses beside it."""

import random

from tests.tinker_offline.model.chat_tasks import Item

REFUSAL = "not in the handbook"
TOPICS = (  # what it says, and how people ask
    ("Staff in {} get {} days of annual leave [{}].", "How many days of annual leave does staff in {} get? "),
    ("The notice period in {} is {} weeks [{}].", "How long is the notice period in {}? "),
    ("A hotel in {} may cost up to {} euros [{}].", "What may a hotel in {} cost? "),
    ("Laptops in {} are replaced every {} months [{}].", "How often are laptops replaced in {}? "),
    ("Visitors to {} are announced {} hours ahead [{}].", "When must visitors to {} be announced? "),
)


def _name_city(source: random.Random) -> str:
    return "".join(source.choice("bdfgklmnprstvz") + source.choice("aeiou") for _ in range(3)).capitalize()


def _make_item(source: random.Random, *, there: bool) -> Item:
    """Ask about one topic in one city; beside it stand the topic elsewhere, another topic in the city, and neither."""
    (says, asks), second, third = source.sample(TOPICS, 3)
    city, other, elsewhere, abroad = (_name_city(source) for _ in range(4))
    sayings = [(says, other), (second[0], city), (third[0], elsewhere), (says, city if there else abroad)]
    numbers, marks = source.sample(range(11, 99), 4), source.sample(range(100, 999), 4)
    facts = zip(sayings, numbers, marks, strict=True)
    passages = [saying.format(place, number, mark) for (saying, place), number, mark in facts]
    unit = says.rpartition("{} ")[2].split()[0]
    answer = f"{numbers[3]} {unit} [{marks[3]}]" if there else REFUSAL
    source.shuffle(passages)
    return "\n".join([*passages, asks.format(city)]), answer


def make_handbook(count: int, seed: int, *, there: bool | None = None) -> list[Item]:
    """Make items; by default six of ten are answered by a passage. No city is known before."""
    source = random.Random(seed)
    return [_make_item(source, there=source.random() < 0.6 if there is None else there) for _ in range(count)]
