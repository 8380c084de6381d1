"""The Celery application. Tasks only wake rooms up; the work itself waits in database rows (design: "the row is the queue")."""

import os
from contextlib import ExitStack
from logging.config import dictConfig

from celery import Celery
from celery.signals import before_task_publish, setup_logging, task_postrun, task_prerun
from django.conf import settings
from kombu.transport.redis import Channel

from portal.logs import belonging_to, request_id
from portal.watch import SelfWatch

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(SelfWatch)
# What a worker took is never put back: kombu tries that when Redis is gone, and then ends the worker, or dumps it into a file.
Channel.do_restore = False


@setup_logging.connect
def log_as_all_processes_do(**kwargs) -> None:
    """LOG_LEVEL and LOG_FORMAT count for workers and beat too, and not what their command line says."""
    dictConfig(settings.LOGGING)


@before_task_publish.connect
def send_the_request_id_along(headers: dict, **kwargs) -> None:
    headers["request_id"] = request_id()


@task_prerun.connect
def write_it_into_each_line(task, task_id: str, **kwargs) -> None:
    """What nobody's request set going, such as the sweep, goes by the id of its own task."""
    task.request.lines = ExitStack()
    told = {"request_id": task.request.get("request_id") or task_id, "task": task.name, "task_id": task_id}
    task.request.lines.enter_context(belonging_to(**told))


@task_postrun.connect
def that_was_it(task, **kwargs) -> None:
    task.request.lines.close()
