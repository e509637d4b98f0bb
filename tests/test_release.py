"""A release is not published if the tag, the version and the changelog differ."""

import pytest

from .release import mistakes

RELEASED = "## Unreleased\n\n## 0.2.0 - 2026-11-27\n\n- More.\n\n## 0.1.0 - 2026-01-01\n"


def test_a_tag_that_agrees_is_released():
    assert mistakes("v0.2.0", "0.2.0", RELEASED) == []


@pytest.mark.parametrize(
    ("tag", "version", "changelog", "reason"),
    [
        ("v0.3.0", "0.2.0", RELEASED, "__version__"),
        ("v0.3.0", "0.3.0", RELEASED, "no section"),
        ("v0.2.0", "0.2.0", RELEASED.replace(" - 2026-11-27", ""), "no date"),
        ("v0.2.0", "0.2.0", RELEASED.replace("Unreleased\n", "Unreleased\n- New\n"), "Unreleased"),
    ],
)
def test_one_that_differs_is_not(tag, version, changelog, reason):
    [mistake] = mistakes(tag, version, changelog)
    assert reason in mistake
