"""What a run of pytest says first: which database and which broker it really talks to."""

import sqlite3

import psycopg
import redis
from django.conf import settings


def pytest_report_header(config) -> list[str]:
    return [f"database: {database()}", f"broker: {broker()}"]


def database() -> str:
    given = settings.DATABASES["default"]
    if given["ENGINE"] == "django.db.backends.sqlite3":
        return f"SQLite {sqlite3.sqlite_version}"
    with psycopg.connect(
        host=given["HOST"], port=given["PORT"], dbname=given["NAME"], user=given["USER"], password=given["PASSWORD"] or None
    ) as connection:
        return f"PostgreSQL {connection.info.parameter_status('server_version')}"


def broker() -> str:
    if not settings.REDIS_URL:
        return "files"
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        return f"Redis {client.info('server')['redis_version']}"
