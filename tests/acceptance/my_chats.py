"""`python -m tests.acceptance.my_chats FOLDER`: the examples, beside a `my_chats.jsonl` that they ask for."""

import json
import shutil
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def lay_out(folder: Path) -> Path:
    """Copy the examples into a folder, and write 300 short chats there: sums, so that there is something to learn."""
    folder.mkdir(parents=True, exist_ok=True)
    for example in EXAMPLES.glob("*.yaml"):
        shutil.copy(example, folder)
    chats = (
        {
            "messages": [
                {"role": "user", "content": f"{a} plus {b}?"},
                {"role": "assistant", "content": f"It is {a + b}."},
            ]
        }
        for a in range(20)
        for b in range(15)
    )
    (folder / "my_chats.jsonl").write_text("".join(json.dumps(chat) + "\n" for chat in chats))
    return folder


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]))
