"""Make, list and revoke the tokens that let people and programs in (`sweep token`)."""

import re
import time
from collections.abc import Sequence
from typing import Any

import click

from scheduler.cli.console.caller import find_actor
from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.processes.user_name import read_user
from scheduler.settings import read_settings
from scheduler.state.keeping.retention import UNITS
from scheduler.state.people import tokens
from scheduler.state.people.actors import Scope
from scheduler.state.people.tokens import Token
from scheduler.state.people.user_budgets import Period, set_user_budget
from sweeps.formatting import format_usd
from sweeps.stage import read_dollars, to_dollars

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LIFETIME = re.compile(r"([1-9]\d{0,4})([hdwy])")


BUDGET = re.compile(r"(none|\$?\d{1,7}(?:\.\d{1,6})?)/(day|month)")


class Lifetime(click.ParamType[float]):
    """Seconds, written as 12h, 30d, 8w or 1y."""

    name = "AGE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = LIFETIME.fullmatch(str(value))
        if match is None:
            self.fail(f"expected an age such as 12h, 30d, 8w or 1y, got {value!r}", param, ctx)
        return int(match[1]) * UNITS[match[2]]


class UserBudget(click.ParamType[tuple[Period, int | None]]):
    """A period, and micro-dollars or None for no limit, written as 20/day, 300/month or none/day."""

    name = "USD/PERIOD"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Period, int | None]:
        match = BUDGET.fullmatch(str(value))
        if match is None:
            self.fail(f"expected US dollars such as 20/day, 300/month or none/day, got {value!r}", param, ctx)
        period: Period = "day" if match[2] == "day" else "month"
        try:
            return period, None if match[1] == "none" else read_dollars(match[1])
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.group()
def token() -> None:
    """Manage the tokens that let people and programs in.

    A token has a name, a scope and a user. Redis keeps only a keyed hash of its secret.
    """


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    required=True,
    help="What it allows; each includes those before it.",
)
@click.option("--user", help="Who acts with it. [default: NAME]")
@click.option("--expires", type=Lifetime(), help="How long it is good for: 12h, 30d, 8w, 1y. [default: until revoked]")
@click.option(
    "--budget",
    "budgets",
    type=UserBudget(),
    multiple=True,
    help="What all sweeps of the user may spend: 20/day, 300/month. Give it twice for both.",
)
@click.pass_obj
def create(
    output: Output,
    name: str,
    *,
    scope: str,
    user: str | None,
    expires: float | None,
    budgets: tuple[tuple[Period, int | None], ...],
) -> None:
    """Make a token and print its secret, once.

    `read` sees everything. `submit` also submits sweeps and can change those of its user. `admin` can change
    everything.
    """
    if not NAME.fullmatch(name):
        raise click.UsageError(f"expected a name of letters, digits and . _ - (at most 64), got {name!r}")
    settings = read_settings()
    acts = read_user("--user", user or name)
    with open_store(settings) as store:
        actor = find_actor(settings)
        secret = tokens.create_token(store, actor, name, scope=Scope(scope), user=acts, lifetime=expires)
        if budgets:
            set_user_budget(store, actor, acts, dict(budgets))
    row = {"name": name, "scope": scope, "user": acts, "secret": secret}
    if output.form == "json":
        output.print_document({"tokens": [row], "users": _make_budget_rows(acts, budgets)})
        return
    if output.form == "csv":
        output.print_csv([row])
        return
    output.say(secret)
    output.say(f"{name}: {scope} for {acts}. Keep this secret: it is not shown again")


@token.command()
@click.argument("user")
@click.argument("budgets", type=UserBudget(), nargs=-1, required=True)
@click.pass_obj
def budget(output: Output, user: str, budgets: tuple[tuple[Period, int | None], ...]) -> None:
    """Set what all sweeps of USER may spend in a UTC day or month: 20/day, 300/month, none/day.

    What runs already ends. What would start waits for the next day or month, or for a larger budget.
    """
    settings = read_settings()
    acts = read_user("USER", user)
    with open_store(settings) as store:
        set_user_budget(store, find_actor(settings), acts, dict(budgets))
    if not output.for_people:
        output.print_rows("users", _make_budget_rows(acts, budgets))
        return
    for period, limit in dict(budgets).items():
        output.say(f"{acts}: {'no limit' if limit is None else format_usd(limit)} a {period}")


@token.command("list")
@click.pass_obj
def list_tokens(output: Output) -> None:
    """List all tokens, without their secrets."""
    with open_store(read_settings()) as store:
        now, listed = store.scripts.read_time(), tokens.list_tokens(store)
    output.print_rows("tokens", [_make_row(listed_token, now, output) for listed_token in listed])


@token.command()
@click.argument("name")
@click.pass_obj
def revoke(output: Output, name: str) -> None:
    """Revoke the token NAME: from now on it lets nobody in, and its sessions end."""
    settings = read_settings()
    with open_store(settings) as store:
        tokens.revoke_token(store, find_actor(settings), name)
    if output.for_people:
        output.say(f"{name}: revoked")
    else:
        output.print_rows("tokens", [{"name": name, "revoked": True}])


def _make_budget_rows(user: str, budgets: Sequence[tuple[Period, int | None]]) -> list[dict[str, Any]]:
    limits = dict(budgets).items()
    return [{"user": user, "period": period, "budget_usd": to_dollars(limit)} for period, limit in limits]


def _make_row(listed: Token, now: int, output: Output) -> dict[str, Any]:
    expired = listed.expires is not None and listed.expires <= now
    row = {"name": listed.name, "scope": listed.scope.value, "user": listed.user}
    if not output.for_people:
        expires = None if listed.expires is None else listed.expires / 1000
        return {**row, "made": listed.made / 1000, "expires": expires, "expired": expired}
    ends = "when revoked" if listed.expires is None else _format_minute(listed.expires)
    return {**row, "made": _format_minute(listed.made), "ends": f"{ends} (expired)" if expired else ends}


def _format_minute(milliseconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(milliseconds / 1000))


commands = {"token": token}
