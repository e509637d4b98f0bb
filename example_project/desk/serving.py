"""The example project, served by a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, NamedTuple

from django.conf import settings
from django.core.management import CommandError
from django.db import connection

PATIENCE = 60
"""Seconds a server may take to start."""


class Server(NamedTuple):
    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def temporary_database() -> Iterator[None]:
    """An empty database instead of the usual one, deleted in the end."""
    usual = connection.settings_dict["NAME"]
    connection.close()
    with TemporaryDirectory(prefix="superoffice-demo-", ignore_cleanup_errors=True) as directory:
        connection.settings_dict["NAME"] = str(Path(directory) / "demo.sqlite3")
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict["NAME"] = usual


@contextmanager
def serving(host: str, port: int | None) -> Iterator[Server]:
    """``runserver`` on the current database, from its first answer until the end of the block.

    Raises:
        CommandError: it does not start; with what it printed.
    """
    port = port or free_port(host)
    if not 0 < port < 2**16:
        raise CommandError(f"There is no port {port}. Choose one below 65536, or leave it out.")
    if answers(host, port):
        raise CommandError(f"Port {port} is taken. Choose another with --port, or leave it out.")
    with TemporaryFile() as output:
        process = start(host, port, output)
        try:
            wait_for(process, host, port, output)
            yield Server(f"http://{host}:{port}", process)
        finally:
            end(process)


def start(host: str, port: int, output: IO[bytes]) -> subprocess.Popen[bytes]:
    """The server's process, with the settings of this one."""
    return subprocess.Popen(
        [
            sys.executable,
            str(Path(__file__).resolve().parents[2] / "manage.py"),
            "runserver",
            "--noreload",
            f"{host}:{port}",
        ],
        env={
            **os.environ,
            "DJANGO_DATABASE": str(connection.settings_dict["NAME"]),
            "DJANGO_ALLOWED_HOSTS": ",".join([*settings.ALLOWED_HOSTS, host]),
        },
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def wait_for(process: subprocess.Popen[bytes], host: str, port: int, output: IO[bytes]) -> None:
    """Return once the server answers."""
    deadline = time.monotonic() + PATIENCE
    while not answers(host, port):
        if process.poll() is not None or time.monotonic() > deadline:
            output.seek(0)
            raise CommandError(
                "The server did not start. It printed:\n" + output.read().decode(errors="replace")
            )
        time.sleep(0.1)


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def answers(host: str, port: int) -> bool:
    """Whether somebody speaks HTTP there."""
    with closing(HTTPConnection(host, port, timeout=5)) as connection_:
        try:
            connection_.request("HEAD", "/")
            return connection_.getresponse().status > 0
        except (OSError, HTTPException):
            return False


def free_port(host: str) -> int:
    try:
        with socket.create_server((host, 0)) as probe:
            return int(probe.getsockname()[1])
    except OSError as error:
        raise CommandError(
            f"{host} is no address of this computer ({error}). Choose another with --host."
        ) from None
