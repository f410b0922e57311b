"""What the machine says: read from the environment once, at an edge, and passed down."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scheduler.errors import SettingInvalid


@dataclass(frozen=True)
class Settings:
    """Every setting there is. `docs/settings.md` says the same; a test compares them."""

    home: Path  # SWEEP_HOME: embedded Redis, artefacts, offline checkpoints
    redis_url: str | None  # REDIS_URL: a server of yours instead of the embedded one
    store: str  # SWEEP_STORE: any fsspec URL for data and artefacts
    cache: Path  # SWEEP_CACHE: what can be made again: built corpora, the offline models' frozen bases
    threads: int  # SWEEP_THREADS: attempts at a time in one worker process
    workers: int  # SWEEP_WORKERS: worker processes that `sweep up` starts
    slots: int  # SWEEP_SLOTS: attempts at a time in the whole fleet
    lease: float  # SWEEP_LEASE: seconds after which a silent attempt is taken back
    grace: float  # SWEEP_GRACE: seconds that a stopping worker has to give its stages back
    stall: float  # SWEEP_STALL: seconds without any answer after which an attempt is ended; a told pause does not count
    deaf: float  # SWEEP_DEAF: seconds after which a free worker that receives nothing of what waits ends itself
    housekeeping: float  # SWEEP_HOUSEKEEPING: seconds between two looks at what attempts that ended left at the service
    usage_lag: float  # SWEEP_USAGE_LAG: seconds after which what the live service counted is complete
    requests_per_second: float  # SWEEP_REQUESTS_PER_SECOND: that the whole fleet sends to one service; 0 is no limit
    tokens_per_minute: float  # SWEEP_TOKENS_PER_MINUTE: in those requests; 0 is no limit
    offline_url: str | None  # SWEEP_OFFLINE_URL: a tinker_offline that runs already
    rehearsal: Path | None  # SWEEP_REHEARSAL: what goes wrong in the tinker_offline that `sweep up` starts
    flower_port: int  # SWEEP_FLOWER_PORT: 0 takes a free one


DEFAULTS = {
    "SWEEP_HOME": ".sweep",
    "SWEEP_THREADS": "16",
    "SWEEP_WORKERS": "1",
    "SWEEP_SLOTS": "12",
    "SWEEP_LEASE": "60",
    "SWEEP_GRACE": "30",
    "SWEEP_STALL": "1800",
    "SWEEP_DEAF": "300",
    "SWEEP_HOUSEKEEPING": "60",
    "SWEEP_USAGE_LAG": "21600",
    "SWEEP_REQUESTS_PER_SECOND": "0",
    "SWEEP_TOKENS_PER_MINUTE": "0",
    "SWEEP_FLOWER_PORT": "0",
}


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process. Raises SettingInvalid, naming the variable."""
    home = Path(_text(environment, "SWEEP_HOME")).expanduser().absolute()
    return Settings(
        home=home,
        redis_url=environment.get("REDIS_URL") or None,
        store=environment.get("SWEEP_STORE") or str(home / "store"),
        cache=Path(environment.get("SWEEP_CACHE") or home / "cache").expanduser().absolute(),
        threads=_count(environment, "SWEEP_THREADS", least=1, most=1000),
        workers=_count(environment, "SWEEP_WORKERS", least=1, most=100),
        slots=_count(environment, "SWEEP_SLOTS", least=1, most=10_000),
        lease=_number(environment, "SWEEP_LEASE", least=1, most=3600),
        grace=_number(environment, "SWEEP_GRACE", least=1, most=3600),
        stall=_number(environment, "SWEEP_STALL", least=1, most=86_400),
        deaf=_number(environment, "SWEEP_DEAF", least=1, most=86_400),
        housekeeping=_number(environment, "SWEEP_HOUSEKEEPING", least=0.1, most=86_400),
        usage_lag=_number(environment, "SWEEP_USAGE_LAG", least=0, most=1_000_000),
        requests_per_second=_number(environment, "SWEEP_REQUESTS_PER_SECOND", least=0, most=100_000),
        tokens_per_minute=_number(environment, "SWEEP_TOKENS_PER_MINUTE", least=0, most=500_000_000),
        offline_url=environment.get("SWEEP_OFFLINE_URL") or None,
        rehearsal=_file(environment, "SWEEP_REHEARSAL"),
        flower_port=_count(environment, "SWEEP_FLOWER_PORT", least=0, most=65535),
    )


def _file(environment: Mapping[str, str], name: str) -> Path | None:
    if not environment.get(name):
        return None
    path = Path(environment[name]).expanduser().absolute()
    if not path.is_file():
        raise SettingInvalid(f"{name}={environment[name]} is no file")
    return path


def _text(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or DEFAULTS[name]


def _count(environment: Mapping[str, str], name: str, *, least: float, most: float) -> int:
    value = _number(environment, name, least=least, most=most)
    if value != int(value):
        raise SettingInvalid(f"{name}={_text(environment, name)} is not whole; it must be {least:g} to {most:g}")
    return int(value)


def _number(environment: Mapping[str, str], name: str, *, least: float, most: float) -> float:
    text = _text(environment, name)
    try:
        value = float(text)
    except ValueError:
        raise SettingInvalid(f"{name}={text!r} is not a number; it must be {least:g} to {most:g}") from None
    if not least <= value <= most:
        raise SettingInvalid(f"{name}={text} is out of range; it must be {least:g} to {most:g}")
    return value
