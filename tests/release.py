"""Compare a tag with the version and the changelog: ``python -m tests.release v0.2.0``.

The workflow that publishes a release asks this first.
"""

import re
import sys
from pathlib import Path

import superoffice_hooks

CHANGELOG = Path(__file__).parent.parent / "CHANGELOG.md"


def mistakes(tag: str, version: str, changelog: str) -> list[str]:
    """Return what has to be mended before this tag can be released."""
    sections = dict(re.findall(r"^## (\S+)(.*?)(?=^## |\Z)", changelog, re.DOTALL | re.MULTILINE))
    result = []
    if tag != f"v{version}":
        result.append(f"The tag is {tag}, and superoffice_hooks.__version__ is {version}.")
    if version not in sections:
        result.append(f"CHANGELOG.md has no section for {version}.")
    elif not re.match(r" - \d{4}-\d\d-\d\d\n", sections[version]):
        result.append(f"The section for {version} in CHANGELOG.md has no date.")
    if sections.get("Unreleased", "").strip():
        result.append('CHANGELOG.md has changes under "Unreleased".')
    return result


def main() -> int:
    problems = mistakes(
        sys.argv[1], superoffice_hooks.__version__, CHANGELOG.read_text(encoding="utf-8")
    )
    print(*problems or ["The tag, the version and the changelog agree."], sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
