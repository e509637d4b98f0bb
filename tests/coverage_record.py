"""What the fast tests cover on SQLite: ``make test`` records it, and ``make check`` reads it.

``python -m tests.coverage_record`` reports it, and fails below the floor in pyproject.toml. The
tests run again unless the record is of exactly these files.
"""

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parent.parent
RECORD = ROOT / ".coverage"
TAKEN_OF = ROOT / ".coverage-taken-of"
"""The fingerprint of the files that the record was taken of."""
# The floor is for the report; a run that is below it has passed its tests.
OPTIONS = ["--cov", "--cov-report=", "--cov-fail-under=0"]


def main() -> int:
    if not is_current():
        print("No coverage was recorded of these files, so the tests run on SQLite.", flush=True)
        subprocess.run([sys.executable, "-m", "tests.suite", "--only=sqlite"], cwd=ROOT, check=True)
    report = [sys.executable, "-m", "coverage", "report"]
    return subprocess.run(report, cwd=ROOT, check=False).returncode


def is_current() -> bool:
    return (
        RECORD.exists() and TAKEN_OF.exists() and TAKEN_OF.read_text("utf-8") == fingerprint(ROOT)
    )


def drop() -> None:
    """Forget what was recorded."""
    TAKEN_OF.unlink(missing_ok=True)
    RECORD.unlink(missing_ok=True)


def keep(of: str) -> None:
    """Let the record stand for the files of this fingerprint."""
    TAKEN_OF.write_text(of, "utf-8")


def fingerprint(root: Path) -> str:
    """Return a digest of this Python, of our code and of the tests."""
    digest = sha256(sys.version.encode())
    for path in files(root):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def files(root: Path) -> list[Path]:
    folders = (root / name for name in ("superoffice_hooks", "example_project", "tests"))
    found = (path for folder in folders for path in folder.rglob("*"))
    ours = (path for path in found if path.is_file() and path.suffix != ".pyc")
    return [root / "pyproject.toml", *sorted(ours)]


if __name__ == "__main__":
    sys.exit(main())
