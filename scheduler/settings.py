"""Read the settings of this machine from environment variables, once, and check them."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar, cast, get_args

from scheduler import urls
from scheduler.engine.capacity import Bounds
from scheduler.errors import SettingInvalid
from scheduler.notify.alert_limits import AlertLimits, parse_alert_limits
from scheduler.notify.signing_key import check_secret
from scheduler.processes.user_name import read_user
from scheduler.state.keeping.retention import Retention, parse_retention
from sweeps.spec.home_paths import expand

T = TypeVar("T")

LogForm = Literal["text", "json"]
Isolation = Literal["auto", "required", "no-network", "off"]
"""How user code is kept from other processes: by namespaces where the kernel allows them (auto) or else not at all
(required); also without a network (no-network, which requires them); or as a plain process (off)."""


@dataclass(frozen=True)
class DataSettings:
    limit: int  # SWEEP_DATA_LIMIT: bytes that a data file may have, unpacked; the variable counts GiB
    uploads: int  # SWEEP_UPLOADS: bytes of files that a user has sent to a server; the variable counts GiB
    hosts: tuple[str, ...]  # SWEEP_DATA_HOSTS: "example.org *.example.org s3://bucket …": where URLs may lead


@dataclass(frozen=True)
class ObservationSettings:
    """How a fleet is watched."""

    alerts: AlertLimits  # SWEEP_ALERTS: "no_worker=5m disk=90% …": when the people who run the fleet are told
    metrics: tuple[str, int] | None  # SWEEP_METRICS: where the scheduler serves metrics; None: nowhere
    log: LogForm  # SWEEP_LOG: text, or json for one object a line
    page: tuple[str, int] | None  # SWEEP_PAGE: where the page is served, port 0 for a free one; None: nowhere
    page_proxy: tuple[str, ...]  # SWEEP_PAGE_PROXY: "10.0.0.7 172.16.0.0/12": who may say for whom the page is asked


@dataclass(frozen=True)
class Settings:
    """Every setting there is. `docs/reference/settings.md` says the same; a test compares them."""

    home: Path  # SWEEP_HOME: embedded Redis, artefacts, offline checkpoints
    redis_url: str | None  # REDIS_URL: a server of yours instead of the embedded one
    store: str  # SWEEP_STORE: a folder or a writable fsspec URL, for data and artefacts
    user: str  # SWEEP_USER: whose sweeps this machine submits; your operating-system name
    cache: Path  # SWEEP_CACHE: what can be rebuilt: corpora, the frozen bases of the offline models
    threads: int  # SWEEP_THREADS: attempts at a time in one worker process
    workers: int  # SWEEP_WORKERS: worker processes that `sweep up` starts
    slots: int  # SWEEP_SLOTS: at most this many clients of each kind at each service; the limit found may be lower
    slots_start: int  # SWEEP_SLOTS_START: clients with which the search for a service's limit begins
    slots_least: int  # SWEEP_SLOTS_LEAST: clients that are always allowed
    model_slots: Mapping[str, int]  # SWEEP_MODEL_SLOTS: "Qwen/Qwen3-8B=4 …": at most this many clients of a model
    weights: Mapping[str, float]  # SWEEP_WEIGHTS: "ada=2 bob=1": shares of users; 1 for all others
    lease: float  # SWEEP_LEASE: seconds after which the stage of a silent worker is taken back
    grace: float  # SWEEP_GRACE: seconds that a stopping worker has to save its stages
    silence: float  # SWEEP_SILENCE: seconds without any progress after which a service may be down
    stall: float  # SWEEP_STALL: seconds without an answer after which an attempt ends; announced pauses do not count
    day_budget: float | None  # SWEEP_DAY_BUDGET: US dollars that all sweeps may spend at a service in a UTC day
    prices: Path | None  # SWEEP_PRICES: a price list whose rows replace the built-in ones
    deaf: float  # SWEEP_DEAF: seconds without a message, despite a backlog, after which a free worker exits
    frozen: float  # SWEEP_FROZEN: seconds without a sign of life after which a process is replaced
    housekeeping: float  # SWEEP_HOUSEKEEPING: seconds between two clean-ups of what ended attempts left at the service
    usage_lag: float  # SWEEP_USAGE_LAG: seconds after which the usage report of the live service is complete
    requests_per_second: float  # SWEEP_REQUESTS_PER_SECOND: of the whole fleet to one service; 0: no limit
    tokens_per_minute: float  # SWEEP_TOKENS_PER_MINUTE: in these requests; 0: no limit
    tinker_url: str  # TINKER_BASE_URL: the live service, as the SDK takes it
    offline_url: str | None  # SWEEP_OFFLINE_URL: a running tinker_offline
    rehearsal: Path | None  # SWEEP_REHEARSAL: failures to rehearse in the tinker_offline that `sweep up` starts
    flower_port: int | None  # SWEEP_FLOWER_PORT: 0 chooses a free port; None: no Flower
    environments: Path  # SWEEP_ENVIRONMENTS: the folder of your own environments and checks
    step: float  # SWEEP_STEP: seconds that one step of an environment may take
    environment_memory: float  # SWEEP_ENVIRONMENT_MEMORY: GiB for an environment's process; 0: no limit
    keep: Retention  # SWEEP_KEEP: "events=30d items=1y …": how long each kind of thing is kept
    sandbox: Isolation  # SWEEP_SANDBOX: auto, required, no-network or off: what user code may see of this machine
    data: DataSettings  # where the data of a spec may come from, and how large it may be
    observation: ObservationSettings  # how this fleet is watched
    notify: tuple[str, ...]  # SWEEP_NOTIFY: variables with the addresses for notices about the whole fleet

    @property
    def bounds(self) -> Bounds:
        """The bounds within which the number of clients is searched."""
        return Bounds(min(self.slots_least, self.slots), self.slots, min(self.slots_start, self.slots))


TINKER = "https://tinker.thinkingmachines.dev/services/tinker-prod"
DEFAULTS = {
    "SWEEP_HOME": ".sweep",
    "SWEEP_THREADS": "16",
    "SWEEP_WORKERS": "1",
    "SWEEP_SLOTS": "500",
    "SWEEP_SLOTS_START": "4",
    "SWEEP_SLOTS_LEAST": "1",
    "SWEEP_LEASE": "60",
    "SWEEP_GRACE": "30",
    "SWEEP_SILENCE": "60",
    "SWEEP_STALL": "1800",
    "SWEEP_DEAF": "300",
    "SWEEP_FROZEN": "240",
    "SWEEP_HOUSEKEEPING": "60",
    "SWEEP_USAGE_LAG": "21600",
    "SWEEP_REQUESTS_PER_SECOND": "0",
    "SWEEP_TOKENS_PER_MINUTE": "0",
    "SWEEP_FLOWER_PORT": "0",
    "SWEEP_PAGE": "0",
    "SWEEP_STEP": "30",
    "SWEEP_ENVIRONMENT_MEMORY": "2",
    "SWEEP_SANDBOX": "auto",
    "SWEEP_DATA_LIMIT": "1",
    "SWEEP_UPLOADS": "10",
    "SWEEP_LOG": "text",
}

SECRETS = "SWEEP_SECRETS"  # a folder with a file for each secret; scheduler/processes/secret_files.py reads it
TRUST_CODE = "SWEEP_TRUST_CODE"  # models whose tokenizer is a trusted program; read when one is loaded
MODULES = "SWEEP_MODULES"  # patterns of installed modules that a spec may name; read when one is named
WEBHOOK_SECRET = "SWEEP_WEBHOOK_SECRET"  # noqa: S105 - the variable; what it holds is read when a notice is sent
METRICS_TOKEN = "SWEEP_METRICS_TOKEN"  # noqa: S105 - the variable; read where metrics are served


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings of this process. Raises SettingInvalid, which names the variable."""
    home = _read_folder("SWEEP_HOME", _read_text(environment, "SWEEP_HOME"))
    return Settings(
        home=home,
        redis_url=_read_url(environment, "REDIS_URL", urls.check_redis),
        store=_read_store(environment, home),
        user=read_user("SWEEP_USER", environment.get("SWEEP_USER")),
        cache=_read_path("SWEEP_CACHE", environment.get("SWEEP_CACHE") or str(home / "cache")),
        threads=_read_count(environment, "SWEEP_THREADS", least=1, most=1000),
        workers=_read_count(environment, "SWEEP_WORKERS", least=1, most=100),
        slots=_read_count(environment, "SWEEP_SLOTS", least=1, most=10_000),
        slots_start=_read_count(environment, "SWEEP_SLOTS_START", least=1, most=10_000),
        slots_least=_read_count(environment, "SWEEP_SLOTS_LEAST", least=1, most=10_000),
        model_slots={name: int(value) for name, value in _read_pairs(environment, "SWEEP_MODEL_SLOTS", whole=True)},
        weights=dict(_read_pairs(environment, "SWEEP_WEIGHTS")),
        lease=_read_number(environment, "SWEEP_LEASE", least=1, most=3600),
        grace=_read_number(environment, "SWEEP_GRACE", least=1, most=3600),
        silence=_read_number(environment, "SWEEP_SILENCE", least=1, most=3600),
        stall=_read_number(environment, "SWEEP_STALL", least=1, most=86_400),
        day_budget=_read_amount(environment, "SWEEP_DAY_BUDGET"),
        prices=_read_existing_path(environment, "SWEEP_PRICES", "file", Path.is_file),
        deaf=_read_number(environment, "SWEEP_DEAF", least=1, most=86_400),
        frozen=_read_number(environment, "SWEEP_FROZEN", least=1, most=86_400),
        housekeeping=_read_number(environment, "SWEEP_HOUSEKEEPING", least=0.1, most=86_400),
        usage_lag=_read_number(environment, "SWEEP_USAGE_LAG", least=0, most=1_000_000),
        requests_per_second=_read_number(environment, "SWEEP_REQUESTS_PER_SECOND", least=0, most=100_000),
        tokens_per_minute=_read_number(environment, "SWEEP_TOKENS_PER_MINUTE", least=0, most=500_000_000),
        tinker_url=_read_url(environment, "TINKER_BASE_URL", partial(urls.check_web, right=TINKER)) or TINKER,
        offline_url=_read_url(environment, "SWEEP_OFFLINE_URL", partial(urls.check_web, right="http://127.0.0.1:8000")),
        rehearsal=_read_existing_path(environment, "SWEEP_REHEARSAL", "file", Path.is_file),
        flower_port=urls.parse_port("SWEEP_FLOWER_PORT", environment.get("SWEEP_FLOWER_PORT") or "0"),
        environments=_read_existing_path(environment, "SWEEP_ENVIRONMENTS", "folder", Path.is_dir) or Path.cwd(),
        step=_read_number(environment, "SWEEP_STEP", least=0.1, most=86_400),
        environment_memory=_read_number(environment, "SWEEP_ENVIRONMENT_MEMORY", least=0, most=100_000),
        keep=_read_grammar(environment, "SWEEP_KEEP", parse_retention),
        sandbox=cast(Isolation, _read_choice(environment, "SWEEP_SANDBOX", get_args(Isolation))),
        data=_read_data(environment),
        observation=_read_observation(environment),
        notify=_read_variables(environment, "SWEEP_NOTIFY"),
    )


def _read_data(environment: Mapping[str, str]) -> DataSettings:
    gib = _read_number(environment, "SWEEP_DATA_LIMIT", least=0.001, most=10_000)
    uploads = _read_number(environment, "SWEEP_UPLOADS", least=0.001, most=10_000)
    return DataSettings(
        int(2**30 * gib), int(2**30 * uploads), _read_grammar(environment, "SWEEP_DATA_HOSTS", urls.parse_hosts)
    )


def _read_observation(environment: Mapping[str, str]) -> ObservationSettings:
    alerts = _read_grammar(environment, "SWEEP_ALERTS", parse_alert_limits)
    log = cast(LogForm, _read_choice(environment, "SWEEP_LOG", get_args(LogForm)))
    page = urls.parse_page("SWEEP_PAGE", _read_text(environment, "SWEEP_PAGE"))
    proxy = urls.parse_networks("SWEEP_PAGE_PROXY", environment.get("SWEEP_PAGE_PROXY") or "")
    metrics = _read_grammar(environment, "SWEEP_METRICS", urls.parse_address)
    return ObservationSettings(alerts, metrics, log, page, proxy)


def _read_choice(environment: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    text = _read_text(environment, name)
    if text not in choices:
        raise SettingInvalid(f"{name}: expected {', '.join(choices)}, got {text!r}")
    return text


def _read_pairs(environment: Mapping[str, str], name: str, *, whole: bool = False) -> Iterator[tuple[str, float]]:
    """Read `name=number` words, separated by spaces or commas; each number above 0."""
    for word in (environment.get(name) or "").replace(",", " ").split():
        key, _, text = word.rpartition("=")
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not key or not 0 < value < 1e6 or (whole and value != int(value)):
            kind = "a whole number" if whole else "a number"
            raise SettingInvalid(f"{name}: expected NAME={kind} above 0, got {word!r}")
        yield key, value


def _read_url(environment: Mapping[str, str], name: str, check: Callable[[str, str], str]) -> str | None:
    return check(name, environment[name]) if environment.get(name) else None


def _list_protocols() -> frozenset[str]:
    """List the protocols of the artefact store; a plain folder does not need them, so they are imported late."""
    from scheduler.artefacts import list_protocols

    return list_protocols()


def _read_store(environment: Mapping[str, str], home: Path) -> str:
    text = environment.get("SWEEP_STORE") or str(home / "store")
    return urls.check_store("SWEEP_STORE", text, _list_protocols) or str(_read_folder("SWEEP_STORE", text))


def _read_path(name: str, text: str) -> Path:
    """Return the absolute path, with `~` expanded."""
    try:
        path = Path(expand(text)).absolute()
    except ValueError as error:
        raise SettingInvalid(f"{name}={text}: {error}") from None
    try:
        path.stat()
    except FileNotFoundError:
        pass  # it may be created
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else error
        raise SettingInvalid(f"{name}={text}: {cause}; choose another path") from None
    return path


def _read_folder(name: str, text: str) -> Path:
    """Return the path of a folder that exists or can be created."""
    path = _read_path(name, text)
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.X_OK | (0 if there == path else os.W_OK)):
        raise SettingInvalid(f"{name}={text}: expected a writable folder, got {there}; choose another path")
    return path


def _read_existing_path(
    environment: Mapping[str, str], name: str, kind: str, is_right: Callable[[Path], bool]
) -> Path | None:
    """Return the path of a file or folder that must exist, or None if the variable is not set."""
    if not environment.get(name):
        return None
    path = _read_path(name, environment[name])
    if not is_right(path):
        raise SettingInvalid(f"{name}={environment[name]}: there is no such {kind}")
    return path


def _read_variables(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Read `env:NAME` words, separated by spaces or commas. A wrong word may be a secret, so it is not quoted."""
    check_secret(WEBHOOK_SECRET, environment.get(WEBHOOK_SECRET, ""))
    words = environment.get(name, "").replace(",", " ").split()
    for position, word in enumerate(words, 1):
        if not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*", word):
            raise SettingInvalid(f"{name}: word {position}: expected a variable such as env:SLACK_WEBHOOK")
        address = environment.get(word.removeprefix("env:"))
        if address and not urls.is_webhook(address):
            raise SettingInvalid(f"{name}: {word}: expected http://… or https://…, got another value")
    return tuple(dict.fromkeys(word.removeprefix("env:") for word in words))


def _read_grammar(environment: Mapping[str, str], name: str, parse: Callable[[str], T]) -> T:
    """Read a variable that has a grammar of its own."""
    try:
        return parse(environment.get(name, ""))
    except ValueError as error:
        raise SettingInvalid(f"{name}: {error}") from None


def _read_amount(environment: Mapping[str, str], name: str) -> float | None:
    """Read an optional number."""
    return _read_number(environment, name, least=0, most=1_000_000) if environment.get(name) else None


def _read_text(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or DEFAULTS[name]


def _read_count(environment: Mapping[str, str], name: str, *, least: float, most: float) -> int:
    value = _read_number(environment, name, least=least, most=most)
    if value != int(value):
        raise SettingInvalid(
            f"{name}: expected a whole number, {_format_span(least, most)}, got {_read_text(environment, name)}"
        )
    return int(value)


def _format_span(least: float, most: float) -> str:
    return f"{least:,.12g} to {most:,.12g}"


def _read_number(environment: Mapping[str, str], name: str, *, least: float, most: float) -> float:
    text = _read_text(environment, name)
    try:
        value = float(text)
    except ValueError:
        raise SettingInvalid(f"{name}: expected a number, {_format_span(least, most)}, got {text!r}") from None
    if not least <= value <= most:
        raise SettingInvalid(f"{name}: expected {_format_span(least, most)}, got {text}")
    return value
