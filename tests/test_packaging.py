"""What we would publish, built and opened."""

import subprocess
import sys
from pathlib import Path
from tarfile import TarFile
from zipfile import ZipFile

import pytest

from .messages import LANGUAGES

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parent.parent
PACKAGE = PROJECT / "superoffice_hooks"


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """The directory with the source distribution and the wheel that was built from it."""
    directory = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", directory, PROJECT]
    result = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return directory


@pytest.fixture(scope="module")
def wheel(distributions):
    [path] = distributions.glob("django_superoffice_hooks-*.whl")
    with ZipFile(path) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def source_distribution(distributions):
    [path] = distributions.glob("django_superoffice_hooks-*.tar.gz")
    with TarFile.open(path) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def test_the_package_index_would_take_both(distributions):
    pytest.importorskip("twine")
    files = sorted(map(str, distributions.iterdir()))
    for command in (
        [sys.executable, "-m", "twine", "check", "--strict", *files],
        [sys.executable, "-m", "check_wheel_contents", *files[:1]],
    ):
        ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_wheel_holds_every_file_of_the_package(wheel):
    files = {
        path.relative_to(PROJECT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files <= wheel


def test_the_wheel_holds_what_is_not_python_as_well(wheel):
    assert "superoffice_hooks/py.typed" in wheel
    assert "superoffice_hooks/wire/dictionary.json" in wheel
    assert "superoffice_hooks/static/superoffice_hooks/admin.css" in wheel
    for language in LANGUAGES:
        assert f"superoffice_hooks/locale/{language}/LC_MESSAGES/django.mo" in wheel
    assert "superoffice_hooks/migrations/0001_initial.py" in wheel
    assert any(
        name.startswith("superoffice_hooks/templates/") and name.endswith(".html") for name in wheel
    )


def test_the_licences_go_wherever_the_dictionary_goes(wheel, source_distribution):
    [metadata] = {name.partition("/")[0] for name in wheel} - {"superoffice_hooks"}
    licences = {"LICENSE", "LICENSES/superoffice-docs.txt"}
    assert {f"{metadata}/licenses/{name}" for name in licences} <= wheel
    assert licences | {"superoffice_hooks/wire/dictionary.json"} <= source_distribution


def test_the_wheel_holds_nothing_else(wheel):
    tops = {name.partition("/")[0] for name in wheel}
    [metadata] = tops - {"superoffice_hooks"}
    assert metadata.endswith(".dist-info")


def test_the_source_distribution_holds_every_file_of_the_repository(source_distribution):
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("This is no checkout.")
    files = {name for name in listed.stdout.split("\0") if (PROJECT / name).is_file()}
    assert files - source_distribution == set()
    made = {"PKG-INFO"}
    directories = {str(parent) for name in files for parent in Path(name).parents}
    assert source_distribution - files - directories - made == set()


@pytest.mark.timeout(300)
def test_the_source_distribution_can_run_its_own_suite(distributions, tmp_path):
    [path] = distributions.glob("django_superoffice_hooks-*.tar.gz")
    with TarFile.open(path) as archive:
        archive.extractall(tmp_path, filter="data")
    [unpacked] = tmp_path.iterdir()
    # Those that read the files around the package; the others need nothing but it.
    files = ["docs", "conventions", "release", "parts", "plain_english", "translations"]
    tests = [f"tests/test_{name}.py" for name in files]
    command = [sys.executable, "-m", "pytest", "--quiet", "--no-header", *tests]
    ended = subprocess.run(command, cwd=unpacked, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
