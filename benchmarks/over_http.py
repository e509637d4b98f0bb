"""The contenders behind a server, and a generator that signed everything before."""

import json
import math
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psutil

from tests.hard.processes import answers

from .deliveries import requests
from .figures import Round
from .processes import started

CONNECTIONS = 4
GUNICORN = ("gunicorn", "benchmarks.wsgi", "--log-level=error", "--graceful-timeout=5")
SERVERS = {
    "gunicorn": (*GUNICORN, "--worker-class=gthread", "--workers=2", "--threads=8"),
    "gunicorn sync": (*GUNICORN, "--worker-class=sync", "--workers=2"),
    "gunicorn gthread": (*GUNICORN, "--worker-class=gthread", "--workers=2", "--threads=4"),
    "uvicorn": ("uvicorn", "benchmarks.asgi:application", "--log-level=error", "--lifespan=off"),
}


class Server(NamedTuple):
    port: int
    master: psutil.Process

    def cpu(self) -> float:
        """Seconds of processor time that its processes have used."""
        times = [each.cpu_times() for each in (self.master, *self.master.children())]
        return sum(time.user + time.system for time in times)


@contextmanager
def serve(
    url: str, kind: str, hooks: dict[str, Any], receiver: str = "update", door: str = ""
) -> Iterator[Server]:
    """The benchmarks' project on a database, behind one of the servers, on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {"BENCH_HOOKS": json.dumps(hooks), "BENCH_RECEIVER": receiver}
    environment["BENCH_DOOR"] = door
    if kind == "uvicorn":
        bind = ["--host=127.0.0.1", f"--port={port}"]
        environment["BENCH_CONN_MAX_AGE"] = "0"
    else:
        bind = [f"--bind=127.0.0.1:{port}"]
    command = [sys.executable, "-m", *SERVERS[kind], *bind]
    with started(command, url, environment) as process:
        deadline = time.monotonic() + 60
        while not answers(port):
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(f"{kind} does not answer.")
            time.sleep(0.05)
        yield Server(port, psutil.Process(process.pid))


def flood(
    server: Server, path: str, count: int, until: Callable[[], object] = lambda: None
) -> Round:
    """As fast as it goes, over some connections that stay open.

    ``until`` returns when all is done that came of it, and that counts.
    """
    shares = [requests(path, count // CONNECTIONS) for _ in range(CONNECTIONS)]
    answered: list[float] = []
    threads = [
        threading.Thread(target=_send_all, args=(server.port, share, answered)) for share in shares
    ]
    cpu, begun = server.cpu(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until()
    seconds = time.perf_counter() - begun
    if len(answered) != sum(map(len, shares)):
        raise RuntimeError("Some deliveries were not answered.")
    return {
        "count": len(answered),
        "seconds": seconds,
        "cpu": server.cpu() - cpu,
        "answers": answered,
    }


class Paced(NamedTuple):
    answers: list[float]
    """The seconds until each answer was there.

    Infinite where none came, or another than 200: leaving those out would flatter.
    """
    at_once: int
    """How many deliveries waited for an answer at the same time, at most."""


def pace(server: Server, path: str, count: int, per_second: float) -> Paced:
    """So many deliveries a second, each on a connection of its own."""
    answered: list[float] = []
    threads: list[threading.Thread] = []
    most = 0
    begun = time.perf_counter()
    for number, request in enumerate(requests(path, count, keep_alive=False)):
        time.sleep(max(0, begun + number / per_second - time.perf_counter()))
        threads.append(threading.Thread(target=_send_all, args=(server.port, [request], answered)))
        threads[-1].start()
        most = max(most, sum(thread.is_alive() for thread in threads[-100:]))
    for thread in threads:
        thread.join()
    return Paced(answered + [math.inf] * (count - len(answered)), most)


def _send_all(port: int, sent: list[bytes], answered: list[float]) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in sent:
            asked = time.perf_counter()
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b"\r\n\r\nOK"):
                received = connection.recv(4096)
                if not received:
                    raise ConnectionError(answer)
                answer += received
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise ConnectionError(answer)
            answered.append(time.perf_counter() - asked)
