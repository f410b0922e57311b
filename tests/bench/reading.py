"""`make bench-reports`: what reading and splitting a file costs, as a ratio to parsing its JSON alone.

The cost should grow as the file does: ten times the rows, ten times the time.
"""

import json
import random
import sys
import tempfile
import time
from pathlib import Path

from sweeps.data import load_dataset
from sweeps.spec.sections import DataSpec

ROWS = (10_000, 100_000)


def main() -> None:
    """Read chats of eighty words, and hold a tenth of them out."""
    dice = random.Random(1)
    words = ["".join(dice.choices("abcdefghijklmnopqrst", k=dice.randint(2, 9))) for _ in range(5_000)]
    with tempfile.TemporaryDirectory() as folder:
        for rows in ROWS:
            file = Path(folder) / f"{rows}.jsonl"
            file.write_text("".join(_chat(dice, words) for _ in range(rows)))
            began = time.process_time()
            for line in file.read_text().splitlines():
                json.loads(line)
            parsed = time.process_time()
            load_dataset("d", DataSpec(source=file.name, holdout=0.1), folder=file.parent, cache=file.parent)
            took, bare = time.process_time() - parsed, parsed - began
            sys.stdout.write(f"{rows:>9,} rows: read and split in {took:5.1f} s, ×{took / bare:.1f} of parsing alone\n")


def _chat(dice: random.Random, words: list[str]) -> str:
    texts = (" ".join(dice.choices(words, k=count)) for count in (20, 60))
    messages = [{"role": role, "content": text} for role, text in zip(("user", "assistant"), texts, strict=True)]
    return json.dumps({"messages": messages}) + "\n"


if __name__ == "__main__":
    main()
