"""Every key in Redis: its name, what it holds, and whether it stays. Nothing else spells one.

All keys share one prefix, so that a shared server can be told apart and swept clean. The Lua verbs build the same
names in `lua/_prelude.lua`; `tests/scheduler/state/test_keys.py` holds the two against each other.
"""

PREFIX = "tinker-sweeps:"
BROKER = PREFIX + "broker:"  # before every key of the Celery broker: nudges, never truth
RATES = PREFIX + "rate"  # before every key of the rate limiter

LAYOUT = PREFIX + "layout"  # string: which keys and fields the state has, see layout.py
LEADER = PREFIX + "leader"  # string, expires: which scheduler may tick
HOUSEKEEPER = PREFIX + "housekeeper"  # string, expires: which worker keeps house at the service
EVENTS = PREFIX + "events"  # stream, trimmed to about 100,000: every move, for people
CHANGED = PREFIX + "changed"  # zset stage -> order of the change: stages whose move has not been spread yet
DELAYED = PREFIX + "delayed"  # zset stage -> the time at which its backoff is over
RESTAGED = PREFIX + "restaged"  # zset "sweep|how|walk" -> position: sweeps being walked through, page by page
SWEEPS = PREFIX + "sweeps"  # zset sweep -> time submitted
BUGS = PREFIX + "bugs"  # zset verb -> when it last failed for a bug of ours
LIVE = PREFIX + "live"  # set: sweeps that pay for what they want
HELD = PREFIX + "held"  # set: sweeps that want their stages and pay for none just now: paused, or outside their hours
WINDOWS = PREFIX + "windows"  # zset sweep -> when its hours begin or end next, or its deadline passes
PROGRESSED = PREFIX + "progressed"  # zset stage -> when its running attempt last got any further
SUSPECTS = PREFIX + "suspects"  # set: stages that lost several attempts in a row, of which one at a time is tried
DISCARDED = PREFIX + "discarded"  # zset "model|path" -> when to delete it: checkpoints that nobody needs any more
EXPIRING = PREFIX + "expiring"  # zset stage -> half way to its newest checkpoint's expiry: is that one still needed?
UNRECONCILED = (
    PREFIX + "unreconciled"
)  # zset "stage|attempt" -> when to look at it: attempts whose cost is not known exactly
RESERVED = PREFIX + "reserved"  # hash service -> micro-dollars that all attempts hold, whoever pays
FLEET = PREFIX + "fleet"  # string: a name of this installation, made once, by which the service knows its sessions
# Hash: pool, or lane -> how many slots of it may be taken; "day:<service>" -> micro-dollars that all sweeps may spend
# there in a day. What has no row has no limit.
LIMITS = PREFIX + "limits"
WORKERS = PREFIX + "workers"  # set: workers heard of; one whose hash has expired is gone
FENCE = PREFIX + "fence"  # counter behind the fencing numbers
SEQUENCE = PREFIX + "sequence"  # counter behind the order of changes, and the names of notices
NOTICES = PREFIX + "notices"  # zset notice -> when to send it: what people are to be told, and have not been yet
NOTIFIED = PREFIX + "notified"  # hash kind -> the occurrence of it that was told last: of what concerns the whole fleet
FLEET_ADDRESSES = PREFIX + "fleet_addresses"  # set: variables that hold the addresses of who looks after the fleet
WEBHOOKS = PREFIX + "webhooks"  # hash variable -> JSON: since when its address takes what it is sent, or why not


def stage(stage_id: str) -> str:
    """Hash: state, kind, recipe, attempt, fence, result, failures and money of one stage."""
    return f"{PREFIX}stage:{stage_id}"


def children(stage_id: str) -> str:
    """Set: the stages that start from this one."""
    return f"{PREFIX}stage:{stage_id}:children"


def subscribers(stage_id: str) -> str:
    """Set: the sweeps that want this stage."""
    return f"{PREFIX}stage:{stage_id}:subscribers"


def curve(stage_id: str) -> str:
    """List: the live, decimated learning curve, newest last; bounded."""
    return f"{PREFIX}stage:{stage_id}:curve"


def checkpoints(stage_id: str) -> str:
    """List of JSON: the checkpoints to go on from, newest last; the stage's policy bounds it."""
    return f"{PREFIX}stage:{stage_id}:checkpoints"


def unreconciled(attempt: str) -> str:
    """Hash: who paid for an attempt whose cost is not known exactly, and what was booked for it. `stage|attempt`."""
    return f"{PREFIX}unreconciled:{attempt}"


def day(service: str, number: int | str) -> str:
    """Hash: micro-dollars spent and unreconciled at a service in one day, in UTC, counted from 1970-01-01."""
    return f"{PREFIX}day:{service}:{number}"


def state(name: str) -> str:
    """Zset: stages in a state; the score is a deadline (dispatched, running) or the time it came there."""
    return f"{PREFIX}state:{name}"


def sweep(name: str) -> str:
    """Hash: digest, spec, state, budget and what is spent, reserved and unreconciled of one sweep."""
    return f"{PREFIX}sweep:{name}"


def sweep_stages(name: str) -> str:
    """Zset stage -> position in the plan."""
    return f"{PREFIX}sweep:{name}:stages"


def sweep_runs(name: str) -> str:
    """Hash: run number -> the row as planned."""
    return f"{PREFIX}sweep:{name}:runs"


def sweep_feeds(name: str) -> str:
    """Hash: stage -> which runs and metrics its result feeds."""
    return f"{PREFIX}sweep:{name}:feeds"


def sweep_values(name: str) -> str:
    """Hash: "run|metric" -> value, each counted once."""
    return f"{PREFIX}sweep:{name}:values"


def sweep_cells(name: str) -> str:
    """Hash: "cell|metric|count", "…|mean", "…|m2" -> the running aggregates."""
    return f"{PREFIX}sweep:{name}:cells"


def sweep_seen(name: str) -> str:
    """Hash: stage -> the state in which this sweep has counted it."""
    return f"{PREFIX}sweep:{name}:seen"


def sweep_counts(name: str) -> str:
    """Hash: state -> how many stages of this sweep are there."""
    return f"{PREFIX}sweep:{name}:counts"


def sweep_ready(name: str, lane: str) -> str:
    """Zset: stages of this sweep in one lane that are ready, in the order in which it wants them."""
    return f"{PREFIX}sweep:{name}:ready:{lane}"


def slots(pool: str) -> str:
    """Zset "stage|attempt" -> until when it holds a slot: the clients that we have open, in a pool or in a lane."""
    return f"{PREFIX}slots:{pool}"


def signals(pool: str) -> str:
    """Hash "stage|attempt" -> "signal|since": what the service tells each client of a pool."""
    return f"{PREFIX}signals:{pool}"


def capacity(pool: str) -> str:
    """Hash: what has been learnt of how many slots a pool has, and when more may be tried."""
    return f"{PREFIX}capacity:{pool}"


def breaker(service: str) -> str:
    """Hash: whether a service can be worked with, since when, why not, and when it is tried next."""
    return f"{PREFIX}breaker:{service}"


def trouble(service: str) -> str:
    """Zset "stage|attempt" -> when it last met an error of the service; what is older than some minutes goes."""
    return f"{PREFIX}trouble:{service}"


def bug(verb: str) -> str:
    """Hash: since when a verb fails for a bug of ours, what it says, and how many stages failed for it."""
    return f"{PREFIX}bug:{verb}"


def account(service: str) -> str:
    """Hash: what was found out about our account at a service, each answer with its time."""
    return f"{PREFIX}account:{service}"


def notice(notice_id: str) -> str:
    """Hash: whom to tell (the variable that holds the address), of what, when it was, and how often that was tried."""
    return f"{PREFIX}notice:{notice_id}"


def rate(limit: str) -> str:
    """String, expires: when a limit of the fleet's is used up no more, as throttled-py counts. `requests|service`."""
    return f"{RATES}:v1:gcra:{limit}"


def worker(name: str) -> str:
    """Hash, expires: threads, busy, host, process id of one worker."""
    return f"{PREFIX}worker:{name}"
