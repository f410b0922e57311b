"""Let a process join the fleet only with the settings that all processes of the fleet must share.

Two workers with different leases or stalls take each other's stages, and two versions of the code give one stage two
results. So each worker and scheduler says what it has when it joins and with each report, and the store refuses what
differs. A process that is drained is no member any more: that is how a fleet changes from one version to the next.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

from scheduler.errors import SettingsDisagree
from scheduler.settings import Settings
from scheduler.state import keys
from scheduler.state.milliseconds import count_milliseconds
from scheduler.state.store import Store

CODE = "code"
PRICES = "prices"
ROOT = Path(__file__).parents[2]
PACKAGES = ("sweeps", "scheduler", "worker")
KINDS = {".py", ".lua", ".yaml"}
DIGITS = 8

REMEDIES = {
    CODE: "install one version everywhere; to change it, drain the old workers first (`sweep drain HOST`)",
    PRICES: "use one price list everywhere (SWEEP_PRICES)",
}


def read_shared_settings(settings: Settings) -> dict[str, str]:
    """Read what every process of a fleet must have, by the name of its setting."""
    return {
        "SWEEP_LEASE": f"{settings.lease:g}",
        "SWEEP_STALL": f"{settings.stall:g}",
        "SWEEP_SILENCE": f"{settings.silence:g}",
        PRICES: _digest_prices(settings.prices),
        CODE: _identify_code(),
    }


def join_fleet(store: Store, name: str, shared: Mapping[str, str], seconds: float) -> None:
    """Become or stay a member for `seconds`. Raises SettingsDisagree if another member has other settings."""
    words = [word for pair in shared.items() for word in pair]
    if answer := store.scripts.run("join_fleet", name, count_milliseconds(seconds), *words):
        raise describe_disagreement(shared, *answer)


def leave_fleet(store: Store, name: str) -> None:
    """Be no member any more, so that the others' settings may change at once."""
    store.scripts.run("join_fleet", name, 0)


def check_fleet(store: Store, settings: Settings) -> None:
    """Raise SettingsDisagree if a process is a member now and has other settings. Write nothing."""
    members = dict(store.client.zrange(keys.MEMBERS, 0, -1, withscores=True))
    now = store.scripts.read_time()
    live = sorted(name for name, until in members.items() if until >= now)
    if not live:
        return
    shared, theirs = read_shared_settings(settings), store.client.hgetall(keys.SHARED_SETTINGS)
    for setting, value in shared.items():
        if theirs.get(setting, value) != value:
            raise describe_disagreement(shared, setting, theirs[setting], live[0])


def describe_disagreement(shared: Mapping[str, str], setting: str, theirs: str, member: str) -> SettingsDisagree:
    """Describe a setting that differs, with both values and what to do."""
    what = {CODE: "the version of tinker-sweeps", PRICES: "the price list"}.get(setting, setting)
    remedy = REMEDIES.get(setting, f"set {setting} to one value everywhere")
    return SettingsDisagree(
        f"{what} must be the same in the whole fleet: expected {theirs}, which {member} has, got {shared[setting]}; "
        f"{remedy}, or stop the others first"
    )


@cache
def _identify_code() -> str:
    """Return the version, and a digest of the source: checkouts of one version may differ."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            if path.suffix in KINDS:
                digest.update(b"\0" + path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{version('tinker-sweeps')} ({digest.hexdigest()[:DIGITS]})"


def _digest_prices(replacement: Path | None) -> str:
    """Return `built-in`, or the digest of the file that replaces rows. The built-in list is part of the code."""
    if replacement is None:
        return "built-in"
    return f"built-in and {hashlib.sha256(replacement.read_bytes()).hexdigest()[:DIGITS]}"
