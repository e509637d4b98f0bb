"""The contenders behind gunicorn, and a generator that signed everything before."""

import math
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psutil

from tests.hard.processes import answers

from .deliveries import requests
from .figures import Round
from .processes import started

WORKERS, THREADS = 2, 8
CONNECTIONS = 4


class Server(NamedTuple):
    port: int
    master: psutil.Process

    def cpu(self) -> float:
        """Seconds of processor time that its processes have used."""
        times = [child.cpu_times() for child in self.master.children()]
        return sum(time.user + time.system for time in times)


@contextmanager
def gunicorn(url: str, mode: str, receiver: str = "update") -> Iterator[Server]:
    """The benchmarks' project on a database, on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    options = (f"--bind=127.0.0.1:{port}", f"--workers={WORKERS}", f"--threads={THREADS}")
    environment = {"BENCH_HOOKS": f'{{"DISPATCH": "{mode}"}}', "BENCH_RECEIVER": receiver}
    command = [
        *(sys.executable, "-m", "gunicorn", "benchmarks.wsgi", "--worker-class=gthread"),
        *("--log-level=error", "--graceful-timeout=5", *options),
    ]
    with started(command, url, environment) as process:
        deadline = time.monotonic() + 60
        while not answers(port):
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("gunicorn does not answer.")
            time.sleep(0.05)
        yield Server(port, psutil.Process(process.pid))


def flood(server: Server, path: str, count: int) -> Round:
    """As fast as it goes, over a few connections that stay open."""
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
    seconds = time.perf_counter() - begun
    if len(answered) != sum(map(len, shares)):
        raise RuntimeError("Some deliveries were not answered.")
    return {
        "count": len(answered),
        "seconds": seconds,
        "cpu": server.cpu() - cpu,
        "answers": answered,
    }


def pace(server: Server, path: str, count: int, per_second: float) -> list[float]:
    """The seconds until each answer was there, with a connection and a moment for each delivery.

    Infinite where none came, or another than 200: leaving those out would flatter.
    """
    answered: list[float] = []
    threads = []
    begun = time.perf_counter()
    for number, request in enumerate(requests(path, count, keep_alive=False)):
        time.sleep(max(0, begun + number / per_second - time.perf_counter()))
        threads.append(threading.Thread(target=_send_all, args=(server.port, [request], answered)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return answered + [math.inf] * (count - len(answered))


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
