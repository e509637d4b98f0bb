"""Settings of the test project: everything the app must live with, on the database asked for."""

import os
from importlib.util import find_spec
from typing import Any

import django

from .databases import database_from_url

SECRET_KEY = "tests only"
USE_TZ = True
TIME_ZONE = "Europe/Oslo"
ROOT_URLCONF = "tests.urls"
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
DATABASES = {
    "default": {
        **database_from_url(
            os.environ.get("TEST_DATABASE_URL", "sqlite:///test.sqlite3?synchronous=OFF")
        ),
        # Deliveries must survive projects that wrap every request in a transaction.
        "ATOMIC_REQUESTS": True,
    }
}
THEME = os.environ.get("TEST_THEME", "")
"""A package that gives Django's admin another look, for tests/browser/test_themes.py."""
INSTALLED_APPS = [
    *{"": [], "admin_interface": ["admin_interface", "colorfield"]}.get(THEME, [THEME]),
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "superoffice_hooks",
]
# The suite also runs without REST framework.
if find_spec("rest_framework"):
    INSTALLED_APPS += ["rest_framework", "django_filters", "drf_spectacular"]
REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "superoffice_hooks",
    "DESCRIPTION": "Events of SuperOffice, what became of them, and their replay.",
    "VERSION": "1",
    "LICENSE": {"name": "MIT", "identifier": "MIT"},
    "SERVERS": [{"url": "/", "description": "The project that includes the URLs of the API."}],
}
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
# The strictest policy. Browsers say on their console what it keeps them from, and the tests in
# tests/browser listen.
POLICY = {"default-src": ["'self'"]}
if THEME:
    # Most themes have styles and scripts in their pages. One wants to offer languages.
    if THEME == "admin_interface":
        MIDDLEWARE.insert(2, "django.middleware.locale.LocaleMiddleware")
elif django.VERSION >= (6,):
    MIDDLEWARE.append("django.middleware.csp.ContentSecurityPolicyMiddleware")
    SECURE_CSP = POLICY
elif find_spec("csp"):
    MIDDLEWARE.append("csp.middleware.CSPMiddleware")
    CONTENT_SECURITY_POLICY = {"DIRECTIVES": POLICY}
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
# The real ones take a tenth of a second for each test user.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

STATIC_URL = "static/"

# Django 6.1 wants to be told by whom mail is sent; older ones do not know the setting.
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}

# All else is as shipped. A test that needs another value says so, or uses a fixture that does.
SUPEROFFICE_HOOKS: dict[str, Any] = {"SECRETS": ["a secret of the tests, long enough"]}
