"""A router of a project whose reads go to a replica."""


class ReplicaThatLags:
    """Reads come from a database that has nothing yet."""

    def db_for_read(self, model, **hints):
        raise AssertionError("what decides is read where it is written")

    def db_for_write(self, model, **hints):
        return "default"
