"""Find the results that a plan can reuse, and what is known of its services and their pace. Writes nothing."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from scheduler.cli.console.options import open_store
from scheduler.errors import StoreUnavailable
from scheduler.services import find_pool, find_service, make_lane
from scheduler.settings import Settings
from scheduler.state import keys, views
from scheduler.state.service_facts import ServiceFacts, find_forward_class, read_known_accounts
from scheduler.state.states import StageState
from scheduler.state.store import Store
from scheduler.state.submission import describe_taken_name
from sweeps.cost import Forward
from sweeps.stage import Json, Plan, to_dollars

NEWEST, ENOUGH = 40, 5  # sweeps that are looked at, and that are measured
SHORTEST = 1.0  # seconds: what took less only says how long a start takes


class EarlierPace(NamedTuple):
    """How many sweeps there were, their tokens, and the seconds from submission to the end of the last stage."""

    sweeps: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def estimate_seconds(self, tokens: float) -> float | None:
        """Estimate how long so many tokens take; None where nothing was measured."""
        return tokens * self.seconds / self.tokens if self.tokens else None


NO_PACE = EarlierPace()


@dataclass(frozen=True)
class ReusableResults:
    """The stages that would be reused. `unreadable` says why the store could not be read."""

    ages: Mapping[str, float]  # stage -> seconds since it had its result
    micro_usd: int  # of the estimate that is not spent again
    refusal: str = ""  # why the sweep cannot be submitted under its name
    unreadable: str = ""
    accounts: Sequence[ServiceFacts] = ()  # at the services of the plan
    slots: int | None = None  # found so far for its stages
    pace: EarlierPace = NO_PACE  # of earlier sweeps with the same offline models

    def document(self) -> Json:
        """Return it as JSON; None if the store could not be read."""
        if self.unreadable:
            return None
        ages = sorted(self.ages.values())
        return {
            "stages": len(ages),
            "saved_usd": to_dollars(self.micro_usd),
            "youngest_seconds": ages[0] if ages else None,
            "oldest_seconds": ages[-1] if ages else None,
        }


def find_reusable(planned: Plan, spec: Mapping[str, Json], settings: Settings) -> ReusableResults:
    """Find the results in the store of these settings. Does not create a store. `spec` is that of a submission."""
    if not settings.redis_url and not (settings.home / "redis").exists():
        return ReusableResults({}, 0)
    try:
        with open_store(settings) as store:
            return read_reusable(planned, spec, store)
    except StoreUnavailable as error:
        return ReusableResults({}, 0, unreadable=str(error).splitlines()[0])


def read_forward_class(settings: Settings) -> Forward:
    """Read how Tinker bills a forward pass; the dearer way if that is not known."""
    if not settings.redis_url and not (settings.home / "redis").exists():
        return "training"
    try:
        with open_store(settings) as store:
            return find_forward_class(store, "tinker")
    except StoreUnavailable:
        return "training"


def read_reusable(planned: Plan, spec: Mapping[str, Json], store: Store) -> ReusableResults:
    """Find the results that a plan can reuse in an open store."""
    costs = {stage.id: stage.micro_usd or 0 for stage in planned.stages}
    seconds, micros = store.client.time()
    now = seconds + micros / 1e6
    stages = (view for view in views.read_stage_views(store, list(costs)) if view.state == StageState.SUCCEEDED)
    ages = {view.id: max(0.0, round(now - view.since / 1000, 1)) for view in stages}
    digest = store.client.hget(keys.sweep(planned.sweep), "digest")
    services = {find_service(str(stage.recipe["model"])) for stage in planned.stages}
    accounts = [facts for facts in read_known_accounts(store) if facts.service in services]
    refusal = "" if digest in (None, planned.digest) else describe_taken_name(store, planned.sweep, spec)
    pools = {find_pool(make_lane(str(stage.recipe["model"]))) for stage in planned.stages}
    limits = [int(limit) for pool in sorted(pools) if (limit := store.client.hget(keys.LIMITS, pool))]
    slots = sum(limits) or None
    lanes = {make_lane(str(stage.recipe["model"])) for stage in planned.stages}
    return ReusableResults(
        ages,
        sum(costs[stage] for stage in ages),
        refusal=refusal,
        accounts=accounts,
        slots=slots,
        pace=measure_pace(store, lanes) if services == {"offline"} else NO_PACE,
    )


def measure_pace(store: Store, lanes: Collection[str]) -> EarlierPace:
    """Measure the newest finished sweeps that used these lanes and no other."""
    names = store.client.zrange(keys.SWEEPS, 0, NEWEST - 1, desc=True)
    every = (views.read_sweep(store, name) for name in names)
    alike = (view for view in every if view.state == "finished" and {*view.lanes} == {*lanes} and view.tokens)
    measured = ((view.tokens, (view.since - view.submitted) / 1000) for view in alike)
    known = [*islice(((tokens, seconds) for tokens, seconds in measured if seconds >= SHORTEST), ENOUGH)]
    return EarlierPace(len(known), sum(tokens for tokens, _ in known), sum(seconds for _, seconds in known))
