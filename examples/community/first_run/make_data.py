"""Write tickets.jsonl: messages to a help desk, each with the call that routes it.

Replace the file by your own rows, one JSON object per line: {"question": "…", "answer": "…"}.
"""

import json
import random
from pathlib import Path

ROWS = 480
QUEUES = {
    "billing": ["I was charged twice for {order}", "where is the refund of {order}", "the invoice of {order} is wrong"],
    "delivery": ["{order} did not arrive", "the parcel {order} is at the wrong door", "when will {order} come"],
    "repair": ["the screen of {order} is broken", "{order} does not start any more", "the lid of {order} fell off"],
    "account": ["I forgot my password for {order}", "my login to {order} fails", "change my address for {order}"],
}
OPENINGS = ["hello, ", "hi, ", "good morning, ", "", "please help: ", "urgent: "]


def make_ticket(chance: random.Random) -> dict[str, str]:
    """Draw one message and its call. The order number must be copied; the queue follows from the words."""
    queue = chance.choice(sorted(QUEUES))
    order = f"{chance.choice('ABCDEFGH')}{chance.randrange(1000, 10000)}"
    text = chance.choice(OPENINGS) + chance.choice(QUEUES[queue]).format(order=order)
    return {"question": f"{text}\ncall: ", "answer": json.dumps({"queue": queue, "order": order})}


if __name__ == "__main__":
    chance = random.Random(7)
    rows = [json.dumps(make_ticket(chance)) for _ in range(ROWS)]
    Path(__file__).with_name("tickets.jsonl").write_text("\n".join(rows) + "\n")
