"""A project as a customer has it, on the database in HARD_DATABASE_URL."""

import json
import os
from pathlib import Path
from typing import Any

from ..databases import database_from_url
from . import SECRET

SECRET_KEY = "hard tests only"
USE_TZ = True
ROOT_URLCONF = "tests.hard.urls"
ALLOWED_HOSTS = ["127.0.0.1"]
DATABASES = {"default": database_from_url(os.environ["HARD_DATABASE_URL"])}
DATABASES["default"]["CONN_MAX_AGE"] = int(os.environ.get("HARD_CONN_MAX_AGE", "0"))
if os.environ.get("HARD_DATABASE_AWAY"):
    # Of the same name, by which the spool is known.
    if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        DATABASES["default"]["OPTIONS"]["init_command"] = "PRAGMA query_only = on"
    else:
        DATABASES["default"] |= {"HOST": "127.0.0.1", "PORT": "1"}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["superoffice_hooks", "tests.hard.arrivals"]
SUPEROFFICE_HOOKS = {
    "SECRETS": [SECRET],
    # Short, so that many takeovers happen; killed attempts count as well.
    "LEASE_SECONDS": 3,
    "MAX_ATTEMPTS": 50,
    "RETRY_DELAYS": [0.1],
    **json.loads(os.environ.get("HARD_HOOKS", "{}")),
}

if secrets := os.environ.get("HARD_SECRETS"):
    # One a line, the newest first: read again when a server is told to load its settings.
    SUPEROFFICE_HOOKS["SECRETS"] = Path(secrets).read_text(encoding="utf-8").split("\n")

TASKS: dict[str, dict[str, Any]]
match os.environ.get("HARD_QUEUE"):
    case "database":
        INSTALLED_APPS += ["django_tasks_db"]
        TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
    case "redis":
        INSTALLED_APPS += ["django_rq"]
        TASKS = {"default": {"BACKEND": "django_tasks_rq.RQBackend"}}
        RQ_QUEUES = {"default": {"URL": os.environ["HARD_QUEUE_URL"]}}
    case "rabbitmq":
        from kombu.entity import Queue

        INSTALLED_APPS += ["django_tasks_fennel"]
        # Any queue: each test has one of its own.
        TASKS = {"default": {"BACKEND": "django_tasks_fennel.CeleryBackend", "QUEUES": []}}
        CELERY_BROKER_URL = os.environ["HARD_QUEUE_URL"]
        # The name of the database is new for each test. The server deletes the queue ten minutes
        # after the last worker left.
        NAME = DATABASES["default"]["NAME"]
        CELERY_TASK_QUEUES = [Queue(NAME, alias="default", routing_key=NAME, expires=600)]
