"""Write incidents.jsonl: notes of incidents, each with the line that files it.

Replace the file by your own rows, one JSON object per line: {"question": "…", "answer": "…"}.
"""

import json
import random
from pathlib import Path

ROWS = 300
CAUSES = {
    "disk": ["{host} has no space left", "writes to {host} fail", "{host} is read only"],
    "network": ["{host} does not answer", "packets to {host} are lost", "{host} resets connections"],
    "memory": ["{host} kills processes", "{host} swaps all day", "{host} is out of memory"],
}
SITES = ["ams", "fra", "lon", "nyc", "osl"]


def make_incident(chance: random.Random) -> dict[str, str]:
    """Draw a note and its line. The host must be copied; the cause follows from the words."""
    cause, host = chance.choice(sorted(CAUSES)), f"{chance.choice(SITES)}{chance.randrange(10, 100)}"
    note = chance.choice(CAUSES[cause]).format(host=host)
    return {
        "question": f"since {chance.randrange(24):02}:{chance.randrange(60):02}, {note}\nfile: ",
        "answer": f"{cause} {host}",
    }


if __name__ == "__main__":
    chance = random.Random(11)
    rows = [json.dumps(make_incident(chance)) for _ in range(ROWS)]
    Path(__file__).with_name("incidents.jsonl").write_text("\n".join(rows) + "\n")
