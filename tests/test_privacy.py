"""docs/privacy.md names every column in which something of a person can stand."""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

PAGE = (Path(__file__).parent.parent / "docs" / "privacy.md").read_text(encoding="utf-8")

NOT_PERSONAL = {
    "Event": {
        "action",
        "begun_by",
        "calling",
        "endpoint",
        "name",
        "problems",
        "status",
        "webhook_name",
    },
    "ChangedField": {"entity", "name"},
    "Dispatcher": {"host", "kind"},
    "FailureGroup": {"exception", "fingerprint", "frame", "receiver", "said", "state"},
    "Gathering": {"begun_by", "calling", "entity", "receiver", "tenant"},
    "ReceiverRun": {"outcome", "receiver"},
    "Redelivery": {"webhook_name"},
    "Rejection": {"endpoint", "reason"},
    "Replay": {"claimed_by", "receivers"},
    "Watch": {"action", "actual", "differences", "endpoint", "ping", "state", "tenant"},
}
"""Names of things, and what we say ourselves."""

HOLDS_TEXT = (
    models.BinaryField,
    models.CharField,
    models.GenericIPAddressField,
    models.JSONField,
    models.TextField,
)


def named(model: str) -> set[str]:
    """The columns of a model that the page names: ``Event.body``, ``payload``."""
    parts = re.findall(rf"`{model}\.(\w+)`((?:, `\w+`)*)", PAGE)
    return {name for first, others in parts for name in [first, *re.findall(r"\w+", others)]}


@pytest.mark.parametrize(
    "model",
    list(apps.get_app_config("superoffice_hooks").get_models()),
    ids=lambda model: model.__name__,
)
def test_every_column_with_text_is_named_or_is_not_personal(model):
    columns = {field.name for field in model._meta.fields if isinstance(field, HOLDS_TEXT)}
    others = NOT_PERSONAL.get(model.__name__, set())
    assert named(model.__name__) & others == set()
    assert columns - others <= named(model.__name__) <= {f.name for f in model._meta.fields}
