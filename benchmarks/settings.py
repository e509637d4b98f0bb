"""A project as startproject makes it, on the database in BENCH_DATABASE_URL."""

import json
import os

from tests.databases import database_from_url

from . import SECRET

SECRET_KEY = "benchmarks only"
USE_TZ = True
ROOT_URLCONF = "benchmarks.urls"
ALLOWED_HOSTS = ["127.0.0.1"]
DATABASES = {
    "default": {
        **database_from_url(os.environ.get("BENCH_DATABASE_URL", "sqlite:///bench.sqlite3")),
        # A connection for each request would cost more than all that is measured here. Under ASGI
        # there is no other way: each request has a thread of its own.
        "CONN_MAX_AGE": json.loads(os.environ.get("BENCH_CONN_MAX_AGE", "null")),
    }
}
if "postgresql" in DATABASES["default"]["ENGINE"]:
    # Tells whose a connection is: settings are read after a server has forked.
    DATABASES["default"]["OPTIONS"]["application_name"] = f"bench {os.getpid()}"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
]
# What django.setup() costs is measured without the app, and with nothing but the app.
INSTALLED_APPS += os.environ.get("BENCH_APPS", "superoffice_hooks benchmarks.contenders").split()
# The other queues of the dispatch contest.
if "django_tasks_db" in INSTALLED_APPS:
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
if "djstripe" in INSTALLED_APPS:
    STRIPE_LIVE_MODE = False
    STRIPE_TEST_SECRET_KEY = "sk_test_ofTheBenchmarksAloneOfNobody"
    # Its many migrations take longer than all that is measured with it; nor do any have to wait for
    # tables that are made before all migrations.
    MIGRATION_MODULES = dict.fromkeys(
        ("djstripe", "admin", "auth", "contenttypes", "sessions", "superoffice_hooks")
    )
    DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
PROCRASTINATE_AUTODISCOVER_MODULE_NAME = None
PROCRASTINATE_IMPORT_PATHS = ["benchmarks.contenders.procrastinated"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "static/"
LOGGING = {"version": 1, "disable_existing_loggers": False}
SUPEROFFICE_HOOKS = {
    "SECRETS": [SECRET],
    "DISPATCH": "worker",
    **json.loads(os.environ.get("BENCH_HOOKS", "{}")),
}
