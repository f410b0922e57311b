"""The parts of the service, put together once."""

import fcntl
import shutil
from pathlib import Path
from typing import TextIO

from tinker_offline.checkpoints import CheckpointStore
from tinker_offline.errors import Refusal
from tinker_offline.faults.accidents import AccountBehaviour
from tinker_offline.model.base import load_base
from tinker_offline.model.characters import write_tokenizer
from tinker_offline.model.folding import make_even_base
from tinker_offline.model.ngram import SIZES, Base
from tinker_offline.models import LiveModels
from tinker_offline.sessions import ClientSession, Sessions
from tinker_offline.usage import UsageCounter
from tinker_offline.work_queue import Futures, Reply, Work


class Service:
    """Everything that the handlers need. What is on disk is read here; bases are loaded when first asked for.

    Raises OSError where the state folder cannot be used, or another server uses it already.
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
        self.snapshots = state / "snapshots"  # of models that live: those of a process before are nobody's
        shutil.rmtree(self.snapshots, ignore_errors=True)
        self.futures = Futures()
        self.account = AccountBehaviour()
        self._cache = cache.resolve()
        self._bases: dict[str, Base] = {}

    def base(self, name: str) -> Base:
        """On the compute thread only: it may have to be trained first."""
        if name not in self._bases:
            size = SIZES[self.known(name)]
            self._bases[name] = make_even_base(size) if size.folds else load_base(size, self._cache)
        return self._bases[name]

    def within(self, session_id: str, work: Work) -> Work:
        """The work, to be done only if its session is not over by then: what nobody waits for is not counted either."""
        session = self.sessions.get(session_id)

        def unless_over() -> Reply:
            if (refusal := session.over()) is not None:
                raise refusal
            return work()

        return unless_over

    def release(self, session: ClientSession) -> None:
        """Forget what a session holds, if it is over."""
        if (refusal := session.over()) is not None:
            self.models.release(session.session_id, refusal)

    @staticmethod
    def known(name: str) -> str:
        """The name of a base model, if it is one."""
        if name not in SIZES:
            raise Refusal(f"unknown base model {name!r}; this server has {', '.join(SIZES)}")
        return name


def _lock_folder(path: Path) -> TextIO:
    """Held until the process ends: two servers would count usage over each other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise OSError("another server uses this folder") from None
    return file
