"""A TCP proxy before PostgreSQL that cuts connections after a statement was carried out."""

import random
import socket
import threading
from contextlib import suppress
from typing import Self
from urllib.parse import parse_qsl, urlsplit, urlunsplit

Side = socket.socket
READY_FOR_QUERY = b"Z\x00\x00\x00\x05"
WRITES = (b"COMMIT", b'INSERT INTO "superoffice_hooks_event"')
"""What a message to the server has in it if its reply means that something was committed."""


class Proxy:
    """Passes everything on, but loses some of the answers to a commit with their connection."""

    def __init__(self, url: str, chance: random.Random) -> None:
        parts = urlsplit(url)
        self.chance = chance
        self.probability = 0.0
        self.cuts = 0
        self.directory = dict(parse_qsl(parts.query)).get("host", "")
        self.upstream = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        user = parts.netloc.rpartition("@")[0].rstrip(":")
        netloc = f"{user}@127.0.0.1:{self.listener.getsockname()[1]}"
        # Encrypted, the proxy could not read what passes.
        plain = "sslmode=disable&gssencmode=disable"
        self.url = urlunsplit(parts._replace(netloc=netloc, query=plain))
        self.open: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *caught: object) -> None:
        for end in (self.listener, *self.open):
            _close(end)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = self._connect()
                self.open += [client, server]
                cut = threading.Event()
                for pump in (self._to_server, self._to_client):
                    threading.Thread(target=pump, args=(client, server, cut), daemon=True).start()

    def _connect(self) -> socket.socket:
        if not self.directory:
            return socket.create_connection(self.upstream)
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{self.directory}/.s.PGSQL.{self.upstream[1]}")
        return server

    def _to_server(
        self, client: socket.socket, server: socket.socket, cut: threading.Event
    ) -> None:
        with suppress(OSError):
            while sent := client.recv(65536):
                is_write = any(write in sent for write in WRITES)
                if is_write and self.chance.random() < self.probability:
                    cut.set()
                server.sendall(sent)
        _close(server)

    def _to_client(
        self, client: socket.socket, server: socket.socket, cut: threading.Event
    ) -> None:
        with suppress(OSError):
            while answered := server.recv(65536):
                if cut.is_set():
                    if READY_FOR_QUERY not in answered:
                        continue
                    self.cuts += 1
                    break
                client.sendall(answered)
        _close(client)
        _close(server)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
