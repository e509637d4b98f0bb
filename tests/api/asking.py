"""POSTs to the API, as a script or the browsable API sends them."""

import json
from typing import Any

from .conftest import API, Caller

REPLAYS = f"{API}replays/"
WHY = {"reason": "The mail server is back"}
FAILED = {"criteria": {"status": "failed"}, **WHY}
ALL = {"all": True, **WHY}
TOKEN = "t" * 32


def ask(
    caller: Caller,
    asked: Any = FAILED,
    url: str = REPLAYS,
    content_type: str = "application/json",
) -> Any:
    """The answer to a POST of JSON, with the token that a page of ours would have."""
    caller.client.cookies["csrftoken"] = TOKEN
    headers = {"X-CSRFToken": TOKEN}
    sent = asked if isinstance(asked, str) else json.dumps(asked)
    return caller.client.post(url, sent, content_type=content_type, headers=headers)


def started(caller: Caller, **asked: Any) -> Any:
    """What is answered for a replay that begins."""
    response = ask(caller, {**ALL, **asked})
    assert response.status_code == 201, response.content
    return response.json()


def mistakes(response: Any) -> dict[str, str]:
    """What is wrong with which value."""
    assert response.status_code == 400, response.content
    assert response["Content-Type"] == "application/problem+json"
    return {error["name"]: error["detail"] for error in response.json()["errors"]}
