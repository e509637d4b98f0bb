"""What a process of its own does to spools; imported there, so without Django's models."""

import sqlite3
from contextlib import closing

from superoffice_hooks import spool


def make_files(directory, together, failed):
    """Open new files, each at the same moment as the other processes."""
    for number in range(150):
        together.wait()
        try:
            with closing(spool._connect(directory / f"{number}.sqlite3")) as file:
                file.execute("CREATE TABLE IF NOT EXISTS delivery (id INTEGER PRIMARY KEY)")
        except sqlite3.Error as error:
            failed.put(str(error))
