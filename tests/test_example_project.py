"""The example project: it plays its part from start to end, and uses the public interface alone."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent
PUBLIC = {"models", "signals", "testing", "urls"}


def run_manage(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROJECT / "manage.py"), *arguments]
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "example_project.settings",
        "PYTHONIOENCODING": "utf-8",
    }
    return subprocess.run(
        command, env=environment, capture_output=True, encoding="utf-8", check=False
    )


def test_the_demo_plays_superoffice_and_finds_everything_as_it_should_be():
    ended = run_manage("demo", "--once")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    rows = [re.split(r"\s{2,}", line) for line in ended.stdout.splitlines()]
    played = [row[:-1] for row in rows if row[-1] in {"✓", "yes"}]
    assert played == [
        ["test, for the new webhook", "200", "event (skipped)", "none", "0"],
        ["ticket.created", "200", "event (succeeded)", "open_ticket succeeded", "0"],
        ["ticket.changed", "200", "event (succeeded)", "follow_ticket succeeded", "47"],
        ["ticket.changed, retry 1", "200", "redelivery", "follow_ticket succeeded", "47"],
        ["ticket.changed, wrongly signed", "401", "rejection (signature wrong)", "none", "0"],
        ["sale.sold, without a rate", "200", "event (failed)", "pay_commission failed", "3"],
        [
            "sale.sold, replayed after the fix",
            "-",
            "event (succeeded)",
            "pay_commission failed, pay_commission succeeded",
            "3",
        ],
    ]
    assert "All 7 deliveries ended as they should." in ended.stdout


def test_the_demo_fails_if_anything_is_not_as_it_should_be(monkeypatch):
    monkeypatch.setenv("SUPEROFFICE_SECRET", "")  # lets nobody in, and is an error of the checks
    ended = run_manage("demo", "--once", "--skip-checks")
    assert ended.returncode == 1
    assert ended.stderr


def test_the_demo_refuses_a_port_that_is_taken(live_server):
    port = live_server.url.rpartition(":")[2]
    ended = run_manage("demo", "--once", "--port", port)
    assert ended.returncode == 1
    assert f"Port {port} is taken" in ended.stderr


def test_its_models_and_migrations_agree():
    assert run_manage("makemigrations", "--check", "--dry-run").returncode == 0


def test_it_passes_its_own_checks():
    ended = run_manage("check", "--fail-level", "WARNING")
    assert ended.returncode == 0, ended.stderr


def test_it_uses_the_public_interface_alone():
    used = set()
    for path in (PROJECT / "example_project").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("superoffice"):
                used.add((node.module or "").partition(".")[2])
    assert used
    assert used <= PUBLIC
