"""Every key in Redis: its name and what it holds. No other Python module spells a key.

All keys share one prefix, so one server can hold other data too. The verbs in `lua/` build the same names;
`tests/scheduler/state/test_keys.py` compares both, and `lua/README.md` lists them.
"""

PREFIX = "tinker-sweeps:"
BROKER = PREFIX + "broker:"  # before every key of the Celery broker: nudges, never the truth
RATES = PREFIX + "rate"  # before every key of the rate limiter

LAYOUT = PREFIX + "layout"
"""String: the layout of the state, see layout.py."""
LEADER = PREFIX + "leader"
"""String, expires: the scheduler that may tick."""
HOUSEKEEPER = PREFIX + "housekeeper"
"""String, expires: the worker that does the housekeeping at the service."""
CLEANER = PREFIX + "cleaner"
"""String, expires: the process that cleans up what is kept no longer."""
RESTORED = PREFIX + "restored"
"""Hash: when the state was restored from a backup, and when that was taken."""
CLEANED = PREFIX + "cleaned"
"""Hash: when the last cleaning ended, and what it freed."""
EVENTS = PREFIX + "events"
"""Stream of about the last 1,000 moves of breakers and of the books, for people."""
CHANGED = PREFIX + "changed"
"""Zset, stage -> order of the change: stages whose move the tick has not spread yet."""
DELAYED = PREFIX + "delayed"
"""Zset, stage -> when its backoff is over."""
WALKS = PREFIX + "walks"
"""Zset, `sweep|how|number` -> position: walks through the stages of sweeps, page by page."""
SWEEPS = PREFIX + "sweeps"
"""Zset, sweep -> when it was submitted."""
BUGS = PREFIX + "bugs"
"""Zset, verb -> when a bug of ours last made it fail."""
REFUSAL = PREFIX + "refusal"
"""String, expires: what Redis last did not allow our user, and the line that allows it."""
LIVE = PREFIX + "live"
"""Set: sweeps that want their stages and pay for them now."""
HELD = PREFIX + "held"
"""Set: sweeps that want their stages and pay for none now, because they are paused or outside their window."""
WINDOWS = PREFIX + "windows"
"""Zset, sweep -> when its window opens or closes next, or its deadline passes."""
ROUNDS_DUE = PREFIX + "rounds_due"
"""Zset, sweep -> since when all its stages have ended and its `until` asks what follows."""
ROUND_DECIDER = PREFIX + "round_decider"
"""String, expires: the scheduler that decides what follows the rounds of sweeps."""
PROGRESSED = PREFIX + "progressed"
"""Zset, stage -> when its running attempt last made progress."""
SUSPECTS = PREFIX + "suspects"
"""Set: stages that lost several attempts in a row. They run one at a time."""
DISCARDED = PREFIX + "discarded"
"""Zset, `model|path` -> when to delete it: checkpoints that no list needs any more."""
EXPIRING = PREFIX + "expiring"
"""Zset, stage -> when its newest checkpoint has lived half its time, and may need more."""
UNRECONCILED = PREFIX + "unreconciled"
"""Zset, `stage|attempt` -> when to look at it: attempts whose exact cost is unknown."""
RESERVED = PREFIX + "reserved"
"""Hash, service -> micro-dollars that all attempts have reserved there."""
FLEET = PREFIX + "fleet"
"""String: the name of this installation, made once. The service knows its sessions by it."""
LIMITS = PREFIX + "limits"
"""Hash, pool or lane -> how many slots may be taken; `day:SERVICE` -> micro-dollars for all sweeps in a day."""
WORKERS = PREFIX + "workers"
"""Set: workers that were heard. A worker whose hash expired is gone."""
DRAINING = PREFIX + "draining"
"""Set: workers that take nothing new."""
MEMBERS = PREFIX + "members"
"""Zset, process -> until when it is a member: the workers and schedulers whose settings must agree."""
SHARED_SETTINGS = PREFIX + "shared_settings"
"""Hash: the settings that all members have. The first member of an empty fleet writes them."""
BOOKS = PREFIX + "books"
"""Hash: the run id of the server whose books are accepted, until when, since when they are closed, what is in doubt."""
BOOKKEEPER = PREFIX + "bookkeeper"
"""String, expires: the worker that compares closed books with the service."""
LOST_SESSIONS = PREFIX + "lost_sessions"
"""Hash, session -> JSON: sessions at a service that belong to nothing that the books know, and what they cost."""
LOSSES = PREFIX + "losses"
"""Hash: how many leases ran out (`lost`), attempts stalled, and leases ran out since any stage last made progress."""
ALERTS = PREFIX + "alerts"
"""Hash, alert -> JSON: since when something is wrong that a person should know of, and whether the fleet was told."""
FENCE = PREFIX + "fence"
"""String: the counter in fencing numbers."""
SEQUENCE = PREFIX + "sequence"
"""String: the counter in the order of changes and in the names of notices."""
NOTICES = PREFIX + "notices"
"""Zset, notice -> when to send it: the outbox."""
NOTIFIED = PREFIX + "notified"
"""Hash, kind -> the last occurrence that the fleet was notified of."""
FLEET_ADDRESSES = PREFIX + "fleet_addresses"
"""Set: variables with the addresses of the people who run the fleet."""
WEBHOOKS = PREFIX + "webhooks"
"""Hash, variable -> JSON: since when its address takes or refuses notices, and why."""
TOKENS = PREFIX + "tokens"
"""Hash, name of a token -> its id."""
TOKEN_KEY = PREFIX + "token_key"
"""String: the key of the hashes of secrets, made once."""
USER_LIMITS = PREFIX + "user_limits"
"""Hash, `day|user` or `month|user` -> micro-dollars that all sweeps of a user may spend in a UTC day or month."""
USER_RESERVED = PREFIX + "user_reserved"
"""Hash, user -> micro-dollars that all attempts at his cost have reserved."""
AUDIT = PREFIX + "audit"
"""Stream of about the last 10,000 changes that people made: who, from where, what."""


def stage(stage_id: str) -> str:
    """Hash: state, kind, packed recipe, attempt, fence, result, failures, money and events of one stage."""
    return f"{PREFIX}stage:{stage_id}"


def children(stage_id: str) -> str:
    """Set: the stages that start from this one."""
    return f"{PREFIX}stage:{stage_id}:children"


def subscribers(stage_id: str) -> str:
    """Set: the sweeps that want this stage."""
    return f"{PREFIX}stage:{stage_id}:subscribers"


def curve(stage_id: str) -> str:
    """String: the live, thinned learning curve, packed: the name of each number -> its values."""
    return f"{PREFIX}stage:{stage_id}:curve"


def checkpoints(stage_id: str) -> str:
    """List of JSON: the checkpoints to continue from, newest last. The stage's policy bounds it."""
    return f"{PREFIX}stage:{stage_id}:checkpoints"


def unreconciled(attempt: str) -> str:
    """Hash: who paid for an attempt whose exact cost is unknown, and what was booked for it."""
    return f"{PREFIX}unreconciled:{attempt}"


def day(service: str, number: int | str) -> str:
    """Hash: micro-dollars spent and unreconciled at a service in one UTC day, counted from 1970-01-01."""
    return f"{PREFIX}day:{service}:{number}"


def state(name: str) -> str:
    """Zset, stage in this state -> its deadline (dispatched, running) or when it came there."""
    return f"{PREFIX}state:{name}"


def sweep(name: str) -> str:
    """Hash: digest, spec, state, budget, and what is spent, reserved and unreconciled of one sweep."""
    return f"{PREFIX}sweep:{name}"


def sweep_stages(name: str) -> str:
    """Zset, stage -> position in the plan, and in sixteenths the state in which this sweep has counted it."""
    return f"{PREFIX}sweep:{name}:stages"


def sweep_runs(name: str) -> str:
    """Hash, run number -> the row as planned, packed."""
    return f"{PREFIX}sweep:{name}:runs"


def sweep_feeds(name: str) -> str:
    """Hash, stage -> the runs and metrics that its result feeds."""
    return f"{PREFIX}sweep:{name}:feeds"


def sweep_values(name: str) -> str:
    """Hash, `run|metric` -> value, each counted once."""
    return f"{PREFIX}sweep:{name}:values"


def sweep_cells(name: str) -> str:
    """Hash, `cell|metric|count`, `…|mean` and `…|m2` -> the running aggregates."""
    return f"{PREFIX}sweep:{name}:cells"


def sweep_candidates(name: str) -> str:
    """Hash, name of a run -> packed: a run that a sweep with `until` may have, its row and what it costs at most."""
    return f"{PREFIX}sweep:{name}:candidates"


def sweep_held(name: str) -> str:
    """Hash, stage -> JSON: the parents and the fields of a stage that a later round may add."""
    return f"{PREFIX}sweep:{name}:held"


def sweep_rounds(name: str) -> str:
    """List of JSON: the rounds that were appended: which rows, why, and what was expected."""
    return f"{PREFIX}sweep:{name}:rounds"


def sweep_counts(name: str) -> str:
    """Hash, state -> how many stages of this sweep are in it."""
    return f"{PREFIX}sweep:{name}:counts"


def sweep_answer(name: str) -> str:
    """String: the answer of a sweep whose items may be gone, packed."""
    return f"{PREFIX}sweep:{name}:answer"


def sweep_archive(name: str) -> str:
    """String: what is left of the stages, rows and values of a sweep whose details are gone, packed."""
    return f"{PREFIX}sweep:{name}:archive"


def sweep_ready(name: str, lane: str) -> str:
    """Zset, ready stage of this sweep in one lane -> its position in the plan."""
    return f"{PREFIX}sweep:{name}:ready:{lane}"


def slots(pool: str) -> str:
    """Zset, `stage|attempt` -> until when it holds a slot: our open clients in a pool or lane."""
    return f"{PREFIX}slots:{pool}"


def signals(pool: str) -> str:
    """Hash, `stage|attempt` -> `signal|since`: what the service tells each client of a pool."""
    return f"{PREFIX}signals:{pool}"


def capacity(pool: str) -> str:
    """Hash: what the scheduler has concluded about the slots of a pool, and when it may try more."""
    return f"{PREFIX}capacity:{pool}"


def breaker(service: str) -> str:
    """Hash: the breaker of a service: state, since when, cause, and when the next canary is due."""
    return f"{PREFIX}breaker:{service}"


def trouble(service: str) -> str:
    """Zset, expires, `stage|attempt` -> when it last met an error of the service."""
    return f"{PREFIX}trouble:{service}"


def bug(verb: str) -> str:
    """Hash: since when a bug of ours makes a verb fail, its message, and how many stages failed for it."""
    return f"{PREFIX}bug:{verb}"


def slot_series(service: str) -> str:
    """String: how many slots of a service were taken, five minutes a place, for a day."""
    return f"{PREFIX}series:{service}"


def request_series(service: str) -> str:
    """String: how many requests a minute the fleet sent to a service, five minutes a place, for a day."""
    return f"{PREFIX}requests:{service}"


def canaries(service: str) -> str:
    """Stream: what the last canaries of a service found, and the state of its breaker after each."""
    return f"{PREFIX}canaries:{service}"


def account(service: str) -> str:
    """Hash: facts about our account at a service, each with its time."""
    return f"{PREFIX}account:{service}"


def notice(notice_id: str) -> str:
    """Hash: the variable with the address, the kind, sweep, time and detail of a notice, and how many tries failed."""
    return f"{PREFIX}notice:{notice_id}"


def token(token_id: str) -> str:
    """Hash: name, scope, user, expiry of a token, and the half of the keyed hash of its secret that is no id."""
    return f"{PREFIX}token:{token_id}"


def login(digest: str) -> str:
    """String, expires: whom a login link lets in. Its name is the keyed hash of the link's secret."""
    return f"{PREFIX}login:{digest}"


def spending(user: str, month: str) -> str:
    """Hash: micro-dollars spent and unreconciled by a user in a UTC month, such as 2026-11, and in each of its days."""
    return f"{PREFIX}spending:{user}:{month}"


def session(digest: str) -> str:
    """String, expires: JSON: whom a browser's cookie lets in. Its name is the hash of the cookie."""
    return f"{PREFIX}session:{digest}"


def rate(limit: str) -> str:
    """String, expires: when a limit of the fleet allows requests again, as throttled-py counts."""
    return f"{RATES}:v1:gcra:{limit}"


def scheduler(name: str) -> str:
    """String, expires: JSON: when a scheduler last ticked, and how long that took."""
    return f"{PREFIX}scheduler:{name}"


def worker(name: str) -> str:
    """Hash, expires: threads, busy threads, host and process id of one worker."""
    return f"{PREFIX}worker:{name}"
