"""A fake of SuperOffice: a real HTTP server with its API, which delivers webhooks over HTTP."""

from .faults import Fault, Reply, Request
from .server import FakeSuperOffice
from .webhooks import Entry

__all__ = ["Entry", "FakeSuperOffice", "Fault", "Reply", "Request"]
