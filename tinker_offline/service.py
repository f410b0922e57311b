"""Put the parts of the service together.

Reads and writes the state and cache folders.
"""

import fcntl
import shutil
from pathlib import Path
from typing import TextIO

from tinker_offline.checkpoints import CheckpointStore
from tinker_offline.errors import Refusal
from tinker_offline.faults.accidents import AccountBehaviour
from tinker_offline.model.characters import write_tokenizer
from tinker_offline.model.families import get_base
from tinker_offline.model.ngram import SIZES, Base
from tinker_offline.models import LiveModels
from tinker_offline.sessions import ClientSession, Sessions
from tinker_offline.usage import UsageCounter
from tinker_offline.work_queue import Futures, Reply, Work


class Service:
    """Everything that the request handlers need. Base models are loaded when first needed.

    Raises OSError if the state folder cannot be used, or another server uses it.
    """

    def __init__(self, state: Path, cache: Path) -> None:
        state = state.resolve()
        self._lock = _lock_folder(state / "lock")
        self.tokenizer = state / "tokenizer"
        write_tokenizer(self.tokenizer)
        self.sessions = Sessions(state / "sessions.jsonl")
        self.usage = UsageCounter(state / "usage.jsonl")
        self.checkpoints = CheckpointStore(state / "runs")
        self.models = LiveModels()
        self.snapshots = state / "snapshots"  # snapshots of live models; those of an earlier process are useless
        shutil.rmtree(self.snapshots, ignore_errors=True)
        self.futures = Futures()
        self.account = AccountBehaviour()
        self._cache = cache.resolve()
        self._bases: dict[str, Base] = {}

    def get_base(self, name: str) -> Base:
        """Return a base model; on the compute thread only, because it may have to be trained first."""
        if name not in self._bases:
            self._bases[name] = get_base(SIZES[self.check_model_name(name)], self._cache)
        return self._bases[name]

    def bind_to_session(self, session_id: str, work: Work) -> Work:
        """Return the work, to be refused if its session is over by then: then it is not counted either."""
        session = self.sessions.get(session_id)

        def run_unless_over() -> Reply:
            if (refusal := session.make_refusal()) is not None:
                raise refusal
            return work()

        return run_unless_over

    def release(self, session: ClientSession) -> None:
        """Forget what a session holds, if it is over."""
        if (refusal := session.make_refusal()) is not None:
            self.models.release(session.session_id, refusal)

    @staticmethod
    def check_model_name(name: str) -> str:
        """Return the name of a base model. Raises Refusal if there is none of this name."""
        if name not in SIZES:
            raise Refusal(f"unknown base model {name!r}; this server has {', '.join(SIZES)}")
        return name


def _lock_folder(path: Path) -> TextIO:
    """Lock the folder until the process ends: two servers would overwrite each other's usage counts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise OSError("another server uses this folder") from None
    return file
