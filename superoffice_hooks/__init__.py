"""SuperOffice CRM webhooks in Django: verified, stored, dispatched as signals, replayable."""

__version__ = "0.2.0"
