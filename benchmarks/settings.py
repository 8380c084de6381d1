"""The portal's own settings, and one address more: the yardstick of benchmarks/urls.py."""

from portal.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.urls"
