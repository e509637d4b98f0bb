"""Requests: certificates are verified, and no answer is too long or takes too long."""

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from superoffice_hooks.superoffice_api.sending import Answer, NoAnswer, Sender
from superoffice_hooks.testing.fake import Reply
from superoffice_hooks.testing.fake.login import as_pem, made_up_key


def certificate(folder: Path) -> Path:
    """A file with a key and a certificate for 127.0.0.1, signed by itself."""
    key, name = made_up_key("app"), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fake")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_text(as_pem(key) + made.public_bytes(Encoding.PEM).decode())
    return path


class Server:
    """Answers any request with 200, and keeps what it was sent inside TLS."""

    def __init__(self, pem: Path) -> None:
        self.received: list[bytes] = []
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(pem)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._socket.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                accepted, _address = self._socket.accept()
            except OSError:
                return
            try:
                with accepted, self._tls.wrap_socket(accepted, server_side=True) as connection:
                    self.received.append(connection.recv(10_000))
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            except OSError:
                continue

    def close(self) -> None:
        # A thread that waits in accept does not notice close alone.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def pem(tmp_path) -> Path:
    return certificate(tmp_path)


@pytest.fixture
def server(pem) -> Iterator[Server]:
    running = Server(pem)
    yield running
    running.close()


def test_a_certificate_that_nobody_trusts_gets_no_request(server):
    sender = Sender()
    answer = sender.send("GET", server.url, headers={"Authorization": "Basic a"})
    sender.close()
    assert answer == NoAnswer("its TLS certificate is not valid", was_sent=False)
    assert server.received == []


def test_one_that_this_machine_trusts_is_good(server, pem):
    sender = Sender(tls=ssl.create_default_context(cafile=str(pem)))
    answer = sender.send("GET", server.url)
    sender.close()
    assert not isinstance(answer, NoAnswer)
    assert (answer.status, answer.json()) == (200, {})


@pytest.mark.parametrize(
    ("limits", "seconds", "reason"),
    [
        ({"max_bytes": 1999}, 0, "the connection was cut"),
        ({"seconds": 0.1}, 0.6, "no answer in time"),
    ],
    ids=["long", "slow"],
)
def test_an_answer_that_is_too_long_or_too_slow_is_not_read_to_its_end(
    superoffice, limits, seconds, reason
):
    superoffice.fail("/api/state/", times=9, reply=Reply(200, b"x" * 2000), seconds=seconds)
    url = f"{superoffice.url}/api/state/{superoffice.tenant}"
    patient, impatient = Sender(max_bytes=2000), Sender(**limits)
    assert isinstance(patient.send("GET", url), Answer)
    assert impatient.send("GET", url) == NoAnswer(reason, was_sent=True)
    patient.close()
    impatient.close()
