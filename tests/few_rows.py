"""A small file of text for fleets: to plan, store and render it takes 0.05 s, `offline:reference` 0.5 s."""

import json
import os
from functools import cache
from pathlib import Path

from sweeps.data.offline_sources import read_domain
from tests.tinker_offline.process import CACHE

ROWS = 700  # for 512 to train on and some to hold out


@cache
def find_few_rows() -> Path:
    """The file; the first who asks writes it, and whoever asks at the same time writes the same."""
    path = CACHE / f"reference-{ROWS}.jsonl"
    if not path.exists():
        rows, _ = read_domain("reference", CACHE)
        text = "".join(json.dumps({"text": row}) + "\n" for row in rows[:ROWS])
        begun = path.with_suffix(f".{os.getpid()}")
        begun.write_text(text)
        begun.replace(path)
    return path
