"""What a user may spend in a UTC day or month, and what all sweeps of a user have spent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

from scheduler.state import keys
from scheduler.state.milliseconds import read_moment
from scheduler.state.people.actors import Actor
from scheduler.state.store import Store
from sweeps.formatting import format_usd

Period = Literal["day", "month"]
PERIODS: tuple[Period, ...] = get_args(Period)
DAY = 86_400_000  # milliseconds


@dataclass(frozen=True)
class UserCosts:
    """What the sweeps of a user cost in the current UTC day or month, in micro-dollars."""

    user: str
    period: Period
    begins: date
    spent: int
    unreconciled: int
    reserved: int
    limit: int | None


def set_user_budget(store: Store, actor: Actor, user: str, limits: Mapping[Period, int | None]) -> None:
    """Set what all sweeps of a user may spend, in micro-dollars; None lifts a limit. A period that is missing stays."""
    detail = ", ".join(
        f"no limit a {period}" if limit is None else f"{format_usd(limit)} a {period}"
        for period, limit in limits.items()
    )
    words = [word for period, limit in limits.items() for word in (period, "" if limit is None else limit)]
    store.scripts.run("set_user_budget", actor.user, actor.origin, user, detail, *words)


def read_user_costs(store: Store, now: int) -> list[UserCosts]:
    """Read what each user with a limit or a cost has spent in the current day and month. `now` in milliseconds."""
    limits, reserved = store.client.hgetall(keys.USER_LIMITS), store.client.hgetall(keys.USER_RESERVED)
    today = read_moment(now).date()
    users = sorted({*reserved, *(field.partition("|")[2] for field in limits)})
    pipe = store.client.pipeline(transaction=False)
    for user in users:
        pipe.hgetall(keys.spending(user, f"{today:%Y-%m}"))
    costs = []
    for user, row in zip(users, pipe.execute(), strict=True):
        for period in PERIODS:
            ends = f":{now // DAY}" if period == "day" else ""
            limit = limits.get(f"{period}|{user}")
            costs.append(
                UserCosts(
                    user=user,
                    period=period,
                    begins=today if period == "day" else today.replace(day=1),
                    spent=int(row.get(f"spent{ends}", 0)),
                    unreconciled=int(row.get(f"unreconciled{ends}", 0)),
                    reserved=int(reserved.get(user, 0)),
                    limit=int(limit) if limit else None,
                )
            )
    return costs
