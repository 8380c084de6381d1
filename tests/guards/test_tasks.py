"""Celery only wakes: a message carries ids by name, and a worker may be a version older or newer than the sender."""

import inspect

import pytest
from celery import current_app
from django.conf import settings

current_app.loader.import_default_modules()
OURS = sorted(name for name in current_app.tasks if name.startswith(("softphones.", "portal.")))


def test_a_task_takes_named_arguments_and_bears_unknown_ones():
    assert OURS
    for name in OURS:
        kinds = [parameter.kind for parameter in inspect.signature(current_app.tasks[name].run).parameters.values()]
        assert set(kinds) <= {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}, name
        assert inspect.Parameter.VAR_KEYWORD in kinds, name


@pytest.mark.parametrize("entry", settings.CELERY_BEAT_SCHEDULE)
def test_every_beat_entry_names_a_task_that_exists(entry):
    assert settings.CELERY_BEAT_SCHEDULE[entry]["task"] in OURS


@pytest.mark.parametrize("entry", settings.CELERY_BEAT_SCHEDULE)
def test_a_beat_message_lapses_before_the_next_one_comes(entry):
    given = settings.CELERY_BEAT_SCHEDULE[entry]
    assert given["options"]["expires"] <= given["schedule"].run_every.total_seconds()
