"""A SuperOffice and a client of it. Without the extra these tests are left out."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if find_spec("httpx"):
    from superoffice_hooks.superoffice_api.client import Client
    from superoffice_hooks.superoffice_api.connection import Connection
    from superoffice_hooks.testing import FakeSuperOffice
else:
    collect_ignore_glob = ["test_*.py"]
    if not TYPE_CHECKING:
        FakeSuperOffice = Client = Connection = Any


@pytest.fixture
def superoffice() -> Iterator[FakeSuperOffice]:
    with FakeSuperOffice() as fake:
        yield fake


@pytest.fixture
def naps() -> list[float]:
    """The seconds that the client would have waited."""
    return []


@pytest.fixture
def client(superoffice, naps) -> Iterator[Client]:
    with client_of(superoffice, naps) as ready:
        yield ready


def client_of(fake: FakeSuperOffice, naps: list[float] | None = None, **values: Any) -> Client:
    """A client that never waits; ``values`` replace parts of the connection."""
    connection = Connection.read(fake.tenant, {**fake.connection(), **values})
    return Client(connection, rate=1e9, sleep=(naps if naps is not None else []).append)
