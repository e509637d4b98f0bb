"""The files that a reader of the repository looks for can be read by who reads them."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")

PROJECT = Path(__file__).parent.parent
DEPLOY = PROJECT / "docs" / "deploy"
YAML = [
    PROJECT / ".pre-commit-config.yaml",
    PROJECT / ".readthedocs.yaml",
    *(PROJECT / ".github").rglob("*.yml"),
    *DEPLOY.glob("*.yaml"),
]
UNITS = sorted([*DEPLOY.glob("*.service"), *DEPLOY.glob("*.timer")])


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.name)
def test_each_file_of_yaml_can_be_read(path):
    assert all(isinstance(page, dict) for page in yaml.safe_load_all(path.read_text()))


def test_workflows_and_the_makefile_agree():
    targets = set(re.findall(r"^([\w-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for path in (PROJECT / ".github" / "workflows").iterdir()
        for target in re.findall(r"run: make ([\w-]+)", path.read_text())
    }
    assert {"test", "check", "docs", "build", "release-check"} <= named <= targets


def test_workflows_may_do_nothing_that_they_need_not():
    for path in (PROJECT / ".github" / "workflows").iterdir():
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] == {"contents": "read"}, path.name
        for job in workflow["jobs"].values():
            assert "timeout-minutes" in job, path.name


def test_commands_of_units_and_containers_exist():
    commands = {path.stem for path in (PROJECT / "superoffice_hooks/management/commands").iterdir()}
    named = {
        name
        for path in DEPLOY.iterdir()
        for name in re.findall(r"manage\.py,? (superoffice_\w+)", path.read_text())
    }
    assert {"superoffice_dispatch", "superoffice_prune"} == named
    assert named <= commands


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_finds_nothing_wrong_with_a_unit(unit, tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("There is no systemd-analyze here.")
    for path in UNITS:
        # The programs of mysite are not installed here.
        text = re.sub(r"/srv/mysite/\.venv/bin/\w+", "/bin/true", path.read_text())
        (tmp_path / path.name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", tmp_path / unit.name]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert [line for line in result.stderr.splitlines() if str(tmp_path) in line] == []
    assert result.returncode == 0, result.stderr


def test_the_package_index_shows_where_everything_is():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert {"Documentation", "Source", "Issues", "Changelog"} <= set(project["urls"])
