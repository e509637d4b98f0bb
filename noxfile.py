"""Every Django we support, on every Python of this machine that it supports: ``make nox``.

The fast tests run on SQLite unless TEST_DATABASE_URL says otherwise; pytest gets what follows
``--``. The sessions "minimal" and "newest" are smoke tests of what others try wholly: each fast
test runs with the first of its parameters. They leave out the other parameters, and the slow and
hard tests.
"""

import os
import shutil
import subprocess

import nox

PYTHON_NEEDED_BY_DJANGO = {"5.2": (3, 11), "6.0": (3, 12), "6.1": (3, 12)}
THEMES = ("unfold", "jazzmin", "grappelli", "admin-interface")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
OPTIONAL = (
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "psycopg",
    "django_tasks",
    "httpx",
    "jwt",
    "health_check",
    "opentelemetry",
    "prometheus_client",
    "pythonjsonlogger",
)
NONE_IS_THERE = (
    f"from importlib.util import find_spec as f; found = list(filter(f, {OPTIONAL!r}));"
    " assert not found, found"
)

nox.options.default_venv_backend = "venv"
nox.options.sessions = ["tests", "minimal"]
nox.options.error_on_missing_interpreters = True


def activate_every_pyenv_version() -> None:
    # A shim of pyenv answers only for the versions that are active, by default one.
    if shutil.which("pyenv"):
        versions = subprocess.check_output(["pyenv", "versions", "--bare"], text=True).split()
        os.environ["PYENV_VERSION"] = ":".join(reversed(versions))


def answers(python: str) -> bool:
    if not shutil.which(f"python{python}"):
        return False
    return subprocess.run([f"python{python}", "-c", ""], check=False).returncode == 0


def supported(python: str, django: str) -> bool:
    return tuple(map(int, python.split("."))) >= PYTHON_NEEDED_BY_DJANGO[django]


activate_every_pyenv_version()
COMBINATIONS = [
    (python, django)
    for python in filter(answers, PYTHONS)
    for django in PYTHON_NEEDED_BY_DJANGO
    if supported(python, django)
]
NEWEST_PYTHON, NEWEST_DJANGO = COMBINATIONS[-1]
# Not the oldest, on which `make test` runs, nor the newest, which has a session of its own.
DJANGOS = [django for python, django in COMBINATIONS if python == NEWEST_PYTHON]
MIDDLE_DJANGO = DJANGOS[len(DJANGOS) // 2]


@nox.session
@nox.parametrize("python,django", COMBINATIONS)
def tests(session: nox.Session, django: str) -> None:
    run_the_suite(session, django, extra="[api,postgres]", group="test")


@nox.session(python=NEWEST_PYTHON)
def newest(session: nox.Session) -> None:
    """The newest Django on the newest Python, as a smoke test."""
    run_the_suite(session, NEWEST_DJANGO, "--smoke", extra="[api,postgres]", group="test")


@nox.session(python=NEWEST_PYTHON)
def minimal(session: nox.Session) -> None:
    """Without the optional dependencies, as a smoke test on a Django that nothing else in CI has.

    Those are REST framework with what goes with it, psycopg, Django Tasks, tqdm, what
    SuperOffice's API needs, and what watches us.
    """
    install(session, MIDDLE_DJANGO, extra="", group="test-minimal")
    # One that came along with something else would let every import of it pass.
    session.run("python", "-c", NONE_IS_THERE)
    session.run("pytest", "--numprocesses=logical", "--smoke", *session.posargs)


@nox.session(python=NEWEST_PYTHON)
@nox.parametrize("theme", THEMES)
def themes(session: nox.Session, theme: str) -> None:
    """The admin's pages in another look, in the browser that TEST_BROWSER names. Not part of CI."""
    install(session, "5.2", extra="[api]", group="test")
    pyproject = nox.project.load_toml("pyproject.toml")
    session.install(*nox.project.dependency_groups(pyproject, "browser"), f"django-{theme}")
    slow = ("-m", "slow or not slow", "tests/browser/test_themes.py")
    session.run("pytest", *slow, *session.posargs, env={"TEST_THEME": theme.replace("-", "_")})


def run_the_suite(
    session: nox.Session, django: str, *arguments: str, extra: str, group: str
) -> None:
    install(session, django, extra=extra, group=group)
    session.run("pytest", "--numprocesses=logical", *arguments, *session.posargs)


def install(session: nox.Session, django: str, *, extra: str, group: str) -> None:
    pyproject = nox.project.load_toml("pyproject.toml")
    session.install(
        f"Django~={django}.0",
        *nox.project.dependency_groups(pyproject, group),
        f"--editable=.{extra}",
    )
