"""The fake as a whole: its hosts, its switches, and which part answers a request."""

import re
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from ...wire.samples import notification
from ..sender import RETRY_DELAYS, Attempt, SuperOffice
from .faults import Fault, Reply, Request, error
from .login import Login, as_pem, as_xml, made_up_key
from .oauth import Tokens
from .routes import Api
from .webhooks import Entry, FakeWebhooks

Version = Literal["10.2", "11.13", "12.0", "12.1"]


class FakeSuperOffice:
    """A SuperOffice with one tenant, on this machine. Use it in a ``with`` statement.

    Args:
        version: the version of SuperOffice.
        is_on_site: whether one signs in with a user name and a password.
        counts: what the nine failures are that end a webhook.
        masks_secret: whether the API hides the secrets of webhooks.
        zeroes: whether activation sets the counter of failures to 0; None: as the version does.
        delays: seconds before each attempt of a delivery.
        tenant: its ContextIdentifier.
    """

    def __init__(
        self,
        version: Version = "12.1",
        *,
        is_on_site: bool = False,
        counts: Literal["attempts", "events"] = "attempts",
        masks_secret: bool = False,
        zeroes: bool | None = None,
        delays: tuple[float, ...] = RETRY_DELAYS,
        tenant: str = "Cust12345",
    ) -> None:
        self.version = version
        self.tenant = tenant
        major, minor = map(int, version.split("."))
        self.number: tuple[int, int] = (major, minor)
        self.login = Login(tenant, is_on_site=is_on_site)
        self.tokens = Tokens(self.login)
        # Tests do not wait.
        sender = SuperOffice(sleep=lambda seconds: None, delays=delays, counts=counts)
        self.webhooks = FakeWebhooks(
            tenant,
            self.number,
            sender,
            masks_secret=masks_secret,
            zeroes=self.number >= (12, 1) if zeroes is None else zeroes,
        )
        self.api = Api(self)
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        """All requests, in order."""
        self.mangle: Callable[[Request, Reply], Reply] | None = None
        """Changes each answer, for tests of answers that are not documented."""
        self._hosts: list[_Host] = []
        self._current = 0

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, *_error: object) -> None:
        for host in self._hosts:
            host.close()
        self._hosts.clear()

    @property
    def url(self) -> str:
        """Return the origin of the login host."""
        return self._hosts[0].url

    @property
    def root(self) -> str:
        """Return the API's address without its version."""
        part = "SuperOffice" if self.login.is_on_site else self.tenant
        return f"{self._hosts[self._current].url}/{part}/api"

    def connection(self, *, as_rsa_xml: bool = False) -> dict[str, str]:
        """Return the connection of its tenant, for CONNECTIONS."""
        if self.login.is_on_site:
            return {
                "api": f"{self.root}/v1/",
                "username": self.login.username,
                "password": self.login.password,
            }
        key = made_up_key("app")
        return {
            "host": self.url,
            "client_secret": self.login.client_secret,
            "system_user_token": self.login.system_user_token,
            "private_key": as_xml(key) if as_rsa_xml else as_pem(key),
        }

    def entries(self) -> list[Entry]:
        """Return its webhooks, the oldest first."""
        return list(self.webhooks.entries.values())

    def send(self, name: str = "ticket.changed", **values: Any) -> list[Attempt]:
        """Raise an event, and deliver it to the webhooks that list its name."""
        return self.webhooks.send(notification(name, **values))

    def move(self) -> None:
        """Move the tenant to another host; the old one answers 421 from now on."""
        self._current = len(self._hosts)
        self._open()

    def expire_tickets(self) -> None:
        """Let every ticket and every access token end."""
        self.login.tickets.clear()
        self.login.access_tokens.clear()

    def fail(self, path: str = "", **values: Any) -> Fault:
        """Let the next requests go wrong. The arguments are those of ``Fault``."""
        fault = Fault(path=path, **values)
        self.faults.append(fault)
        return fault

    def calls(self, pattern: str) -> list[Request]:
        """Return the requests whose "METHOD /path" matches this regular expression."""
        return [r for r in list(self.requests) if re.search(pattern, f"{r.method} {r.path}")]

    def writes(self) -> list[Request]:
        """Return the requests that would change a webhook."""
        return self.calls(r"^(PUT|PATCH|DELETE) |^POST .*/v1/Webhook$")

    def answer(self, request: Request) -> tuple[Reply | None, float]:
        """Return the answer and how many seconds it takes; None cuts the connection."""
        self.requests.append(request)
        fault = next((fault for fault in self.faults if fault.matches(request)), None)
        if fault is None:
            return self._mangled(request), 0
        fault.times -= 1
        if fault.cut == "before":
            return None, fault.seconds
        reply = fault.reply or self._mangled(request)
        return (None if fault.cut else reply), fault.seconds

    def _mangled(self, request: Request) -> Reply:
        reply = self._answer(request)
        return self.mangle(request, reply) if self.mangle else reply

    def _answer(self, request: Request) -> Reply:
        if not self.login.is_on_site and (reply := self._login_host(request)):
            return reply
        base = urlsplit(self.root).path
        if not request.path.startswith(base):
            return error(404, "NotFound", "Nothing is here.")
        if request.host != self._current:
            return error(421, "Moved", "Wrong subdomain used to access tenant")
        if self.login.is_closed:
            return Reply(503, b"<html>Closed</html>")
        return self.api.answer(request, request.path.removeprefix(base).strip("/"))

    def _login_host(self, request: Request) -> Reply | None:
        match request.path.strip("/").split("/"):
            case ["api", "state", tenant]:
                return self.login.state_of(unquote(tenant), self.root)
            case ["Login", "api", "PartnerSystemUser", "Authenticate"]:
                return self.login.authenticate(request)
            case ["login", "common", "oauth", "tokens"]:
                return self.tokens.answer(request, self.url)
            case ["login", ".well-known", "jwks"]:
                return self.login.keys()
        return None

    def _open(self) -> None:
        self._hosts.append(_Host(self, len(self._hosts)))


class _Host:
    """One of the fake's hosts: a server of its own."""

    def __init__(self, fake: FakeSuperOffice, number: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Sends head and body in one packet: a second one would wait for an acknowledgement.
            wbufsize = 65536

            def answer(self) -> None:
                parts = urlsplit(self.path)
                reply, seconds = fake.answer(
                    Request(
                        method=self.command,
                        path=parts.path,
                        query=dict(parse_qsl(parts.query)),
                        headers={name.lower(): value for name, value in self.headers.items()},
                        body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
                        host=number,
                    )
                )
                if seconds:
                    time.sleep(seconds)
                if reply is None:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                content = reply.content
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

            def date_time_string(self, timestamp: float | None = None) -> str:
                ahead = fake.login.clock.total_seconds()
                return super().date_time_string((timestamp or time.time()) + ahead)

            def log_message(self, *_args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
