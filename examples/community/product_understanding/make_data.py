"""Write what a grocery shop has: listings.jsonl, new_categories.jsonl, searches.jsonl, and shuffled.jsonl.

A product has several listings, one of each seller. new_categories.jsonl has listings of four categories that no other
file has. shuffled.jsonl is the null twin of listings.jsonl: each product's category is another's.
"""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

PRODUCTS, NEW_PRODUCTS, SEARCHES, LISTINGS = 168, 24, 260, 2
BRANDS = ("Alda", "Bruno", "Corva", "Delmo", "Estra", "Fjord", "Golda", "Halmi")
DEPARTMENTS = {
    "dairy": ("chilled", "protein", "calcium"),
    "bakery": ("baked", "wheat", "fresh"),
    "pantry": ("dried", "cooks", "durable"),
    "care": ("bathroom", "skin", "scent"),
}


class Category(NamedTuple):
    """A leaf of the hierarchy, with the words of its listings and of the searches for it."""

    department: str
    words: tuple[str, ...]
    searches: tuple[str, ...] = ()


KNOWN = {
    "oat drink": Category("dairy", ("barista", "oats", "pourable"), ("vegan milk", "milk without lactose")),
    "yoghurt": Category("dairy", ("cultures", "stirred", "creamy"), ("probiotic snack", "something for muesli")),
    "rye bread": Category("bakery", ("sourdough", "sliced", "dense"), ("dark loaf", "bread for sandwiches")),
    "croissant": Category("bakery", ("butter", "flaky", "crescent"), ("french pastry", "sunday breakfast")),
    "spaghetti": Category("pantry", ("durum", "bronze", "long"), ("italian noodles", "pasta for bolognese")),
    "lentils": Category("pantry", ("red", "split", "pulses"), ("plant iron", "base for a dal")),
    "shampoo": Category("care", ("hair", "lather", "dandruff"), ("wash my curls", "care for dry hair")),
    "hand soap": Category("care", ("pump", "lavender", "refill"), ("clean hands", "liquid soap")),
}
NEW = {
    "kefir": Category("dairy", ("drinkable", "tangy", "grains")),
    "bagel": Category("bakery", ("sesame", "ring", "chewy")),
    "basmati": Category("pantry", ("fragrant", "himalaya", "white")),
    "toothpaste": Category("care", ("fluoride", "mint", "enamel")),
}
NAMES = sorted(KNOWN | NEW)


def write_listing(chance: random.Random, category: Category) -> str:
    """Write a listing: a brand, words of the category and of its department, and one that has nothing to do with it."""
    own = chance.sample(category.words, 2) if chance.random() < 0.7 else chance.sample(category.words, 1)
    shared = chance.sample(DEPARTMENTS[category.department], 2)
    stray = chance.choice(chance.choice(sorted(KNOWN.values())).words)
    words = [*own, *shared, stray]
    chance.shuffle(words)
    return " ".join([chance.choice(BRANDS), *words])


def make_listings(
    chance: random.Random, categories: dict[str, Category], count: int, prefix: str
) -> list[dict[str, str]]:
    """Draw products with their listings."""
    names = sorted(categories)
    return [
        {
            "text": write_listing(chance, categories[names[number % len(names)]]),
            "category": names[number % len(names)],
            "product": f"{prefix}{number:03d}",
        }
        for number in range(count)
        for _ in range(LISTINGS)
    ]


def make_search(chance: random.Random) -> dict[str, object]:
    """Draw a search with ten products: one to three are what was looked for, and any of them is a right answer."""
    name = chance.choice(sorted(KNOWN))
    brands = chance.sample(BRANDS, chance.randint(1, 3))
    others = [other for other in sorted(KNOWN) if other != name]
    wrong = chance.sample([f"{other}, {brand}" for other in others for brand in BRANDS], 10 - len(brands))
    right = [f"{name}, {brand}" for brand in brands]
    text = f"{chance.choice(BRANDS).lower()} {chance.choice(KNOWN[name].searches)}"
    return {"question": f"{text}\nproduct: ", "answers": right, "candidates": sorted(right + wrong)}


def shuffle_categories(chance: random.Random, rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Give each product the category of another."""
    categories = {row["product"]: row["category"] for row in rows}
    others = dict(zip(categories, chance.sample(list(categories.values()), len(categories)), strict=True))
    return [row | {"category": others[row["product"]]} for row in rows]


def write_rows(file: str, rows: Sequence[object]) -> None:
    Path(__file__).with_name(file).write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    chance = random.Random(5)
    listings = make_listings(chance, KNOWN, PRODUCTS, "P")
    write_rows("listings.jsonl", listings)
    write_rows("new_categories.jsonl", make_listings(chance, NEW, NEW_PRODUCTS, "N"))
    write_rows("searches.jsonl", [make_search(chance) for _ in range(SEARCHES)])
    write_rows("shuffled.jsonl", shuffle_categories(chance, listings))
