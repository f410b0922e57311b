"""The Celery producer: a message is a nudge that carries a stage and an attempt's number, and no truth."""

from celery import Celery
from kombu.exceptions import OperationalError

from scheduler.state import keys
from scheduler.state.connection import Away, Client, RedisError, classify_error, make_broker_url

ATTEMPT = "attempt"  # the name of the one task; the worker defines it under this name
QUEUE = "attempts"
TRANSPORT = {
    # The visibility timeout means nothing to us: messages are acknowledged on arrival (see worker/app.py).
    "global_keyprefix": keys.BROKER,
    "socket_timeout": 30,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
}


ONE_TRY = {"max_retries": 0, "interval_start": 0}
"""A tick must not wait for a broker that is away: the claim runs out, and the nudge is sent again."""


def count_waiting(client: Client) -> int:
    """Nudges that no worker has taken yet."""
    return client.llen(f"{keys.BROKER}{QUEUE}")


class Nudges:
    """Sends nudges to whichever worker is free."""

    def __init__(self, redis_url: str) -> None:
        self._app = Celery("tinker-sweeps", broker=make_broker_url(redis_url), set_as_current=False)
        self._app.conf.update(
            broker_transport_options={**TRANSPORT, **ONE_TRY},
            task_ignore_result=True,
            task_default_queue=QUEUE,
            broker_connection_retry_on_startup=True,
        )

    def send(self, stage: str, attempt: int, label: str) -> bool:
        """Nudge once. False if the broker could not be reached: the claim then runs out, and the stage comes back."""
        try:
            self._app.send_task(ATTEMPT, args=[stage, attempt], argsrepr=label, retry=False)
        except OperationalError:
            return False
        except RedisError as error:  # Celery's own way to Redis
            if isinstance(classify_error(error, "nudge"), Away):
                return False
            raise classify_error(error, "nudge") from error
        return True

    def close(self) -> None:
        self._app.close()
