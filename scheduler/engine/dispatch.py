"""Send nudges through Celery. A nudge carries a stage and the number of an attempt, and no state."""

from celery import Celery
from kombu.exceptions import OperationalError

from scheduler.services import name_task
from scheduler.state import keys
from scheduler.state.connection import Away, Client, RedisError, classify_error, make_broker_settings

ATTEMPT = "attempt"  # the name of the one task; the worker defines it under this name
QUEUE = "attempts"
TRANSPORT = {
    # The visibility timeout has no effect: workers acknowledge messages on arrival (see worker/app.py).
    "global_keyprefix": keys.BROKER,
    "socket_timeout": 30,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
}


ONE_TRY = {"max_retries": 0, "interval_start": 0}
"""A tick must not wait for an unreachable broker: the claim runs out and the stage is dispatched again."""


def count_waiting(client: Client) -> int:
    """Count the nudges that no worker has taken yet."""
    return client.llen(f"{keys.BROKER}{QUEUE}")


class Nudges:
    """The way to send nudges to the workers."""

    def __init__(self, redis_url: str) -> None:
        self._app = Celery("tinker-sweeps", set_as_current=False)
        self._app.conf.update(
            **make_broker_settings(redis_url, {**TRANSPORT, **ONE_TRY}),
            task_ignore_result=True,
            task_default_queue=QUEUE,
            broker_connection_retry_on_startup=True,
        )

    def send(self, stage: str, attempt: int, label: str) -> bool:
        """Send one nudge. Return False if the broker is unreachable: the claim runs out and the stage comes back."""
        # Flower shows the label and the path of the stage on the page, and finds the row by the attempt.
        shown = {"argsrepr": label, "kwargsrepr": f"page: /stages/{stage}", "task_id": name_task(stage, attempt)}
        try:
            self._app.send_task(ATTEMPT, args=[stage, attempt], retry=False, **shown)
        except OperationalError:
            return False
        except RedisError as error:  # Celery's own connection to Redis
            if isinstance(classify_error(error, "nudge"), Away):
                return False
            raise classify_error(error, "nudge") from error
        return True

    def close(self) -> None:
        self._app.close()
