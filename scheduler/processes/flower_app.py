"""Define the Celery app that Flower uses to watch the workers. It runs no task and needs none of their code."""

from celery import Celery

from scheduler.engine.dispatch import QUEUE, TRANSPORT
from scheduler.processes.secret_files import load_secrets
from scheduler.settings import read_settings
from scheduler.state.connection import make_broker_settings
from scheduler.state.server.embedded_redis import find_server_url

load_secrets()  # the broker's address, and Flower's own password, which it reads later
app = Celery("tinker-sweeps")
app.conf.update(
    **make_broker_settings(find_server_url(read_settings()), TRANSPORT),
    task_default_queue=QUEUE,
    accept_content=["json"],
    # Redis may start later, and may go away.
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    timezone="UTC",
    enable_utc=True,
)
