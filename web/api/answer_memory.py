"""Remember what takes long to read of a sweep, as long as nothing of it has changed: clients ask again and again."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

KEPT = 32  # documents

Document = Mapping[str, Any]


class AnswerMemory:
    """The last documents by their name, each with the mark of what it was made from."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._documents: OrderedDict[str, tuple[str, float, Document]] = OrderedDict()

    def take(self, name: str, mark: str, make: Callable[[], Document], *, lasts: float) -> Document:
        """Return a document of this mark that is at most `lasts` seconds old; make it if there is none."""
        with self._lock:
            known = self._documents.get(name)
        if known and known[0] == mark and time.monotonic() - known[1] <= lasts:
            return known[2]
        made = (mark, time.monotonic(), make())
        with self._lock:
            self._documents[name] = made
            self._documents.move_to_end(name)
            while len(self._documents) > KEPT:
                self._documents.popitem(last=False)
        return made[2]
