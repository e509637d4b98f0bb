"""The signature is SuperOffice's, and nothing else passes for it."""

import hmac

import pytest

from superoffice_hooks.wire.signature import is_signed, sign


def test_signs_as_documented():
    # openssl dgst -sha256 -hmac "secret" -binary | base64
    assert sign(b'{"Event":"test"}', "secret") == "sBqKsRNRUVa0PelZmfcSrgbnlHz8KsSCFCTSI5gYzQ4="


def test_secret_is_taken_as_utf8():
    assert is_signed(b"body", sign(b"body", "blåbærsyltetøy"), ["blåbærsyltetøy"])


@pytest.mark.parametrize("secrets", [["new", "old"], ["old", "new"], ["old"]])
def test_any_of_several_secrets_will_do(secrets):
    assert is_signed(b"body", sign(b"body", "old"), secrets)


@pytest.mark.parametrize(
    ("signature", "secrets"),
    [
        pytest.param(sign(b"body", "other"), ["secret"], id="another secret's"),
        pytest.param(sign(b"other", "secret"), ["secret"], id="another body's"),
        pytest.param(sign(b"body", "secret")[:-1], ["secret"], id="cut"),
        pytest.param("", ["secret"], id="empty"),
        pytest.param("sïgnature \udcff", ["secret"], id="not ASCII"),
        pytest.param(sign(b"body", "secret"), [], id="no secrets"),
        pytest.param(sign(b"body", ""), [""], id="an empty secret signs nothing"),
    ],
)
def test_refuses(signature, secrets):
    assert not is_signed(b"body", signature, secrets)


def test_compares_in_constant_time_with_every_secret(monkeypatch):
    compared = []
    real = hmac.compare_digest

    def compare(expected, sent):
        compared.append(expected)
        return real(expected, sent)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert is_signed(b"body", sign(b"body", "first"), ["first", "second", "third"])
    assert len(compared) == 3


NO_SECRETS = [None, "", b"bytes of enough characters", 5, ["list"], "p\udce5ssord", "\ud800"]


@pytest.mark.parametrize("other", NO_SECRETS)
def test_what_cannot_be_a_secret_matches_nothing_and_spoils_no_other(other):
    signature = sign(b"body", "secret")
    assert is_signed(b"body", signature, [other, "secret"])
    assert is_signed(b"body", signature, ["secret", other])
    for wrong in (signature, "", sign(b"body", ""), sign(b"body", str(other)[:0])):
        assert not is_signed(b"body", wrong, [other])
