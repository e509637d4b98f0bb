"""Lists of changed fields, each distinct list stored once.

SuperOffice sends the same lists again and again: if a rule closes a thousand tickets, it sends the
same names a thousand times. An Event refers to its ChangeSet. So a list takes one foreign key, and
"which events changed ticket.priority" is a look-up in an index on every database.
"""

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from sys import getsizeof
from typing import Any, ClassVar

from django.db import connections, models, router
from django.db.models.signals import post_migrate
from django.dispatch import receiver
from django.utils.translation import gettext_lazy as _

from ..wire.values import one_line
from .fields import IdentifierField
from .transactions import own_transaction

_NAME_LENGTH = 128
# A tenant has some hundreds of distinct lists; each takes about 150 bytes here.
_MAX_REMEMBERED = 10_000
# The longest documented list, of 47 names, takes 5 KB. A longer one is identified anew each time.
_MAX_BYTES_OF_A_LIST = 8_000


class ChangedField(models.Model):
    """A database column of SuperOffice that was named in some event's ``Changes``.

    Names compare without case, so they are kept in lower case; ``event.changes`` has them as sent.
    """

    entity = IdentifierField(_("entity"), max_length=100)
    name = IdentifierField(_("name"), max_length=_NAME_LENGTH)

    class Meta:
        verbose_name = _("changed field")
        verbose_name_plural = _("changed fields")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["entity", "name"], name="superoffice_changedfield_once"
            ),
        ]
        # For changed("priority"), which names no entity.
        indexes: ClassVar = [models.Index(fields=["name"], name="superoffice_changedfield_name")]

    def __str__(self) -> str:
        return one_line(f"{self.entity}.{self.name}")


class ChangeSetManager(models.Manager["ChangeSet"]):
    """Looks up the row of a list of names, or writes it, within bounds."""

    MAX_FIELDS_OF_ENTITY = 1000
    MAX_FIELDS = 20_000
    """A sender can invent names. The widest table of SuperOffice has some hundreds."""

    def for_names(self, entity: str, names: Iterable[str]) -> "ChangeSet | None":
        """Return the stored ChangeSet of these names, in any order and case; None for no names."""
        key, _omitted = self.key_of(entity, tuple(names))
        if key is None:
            return None
        return self.model.from_db(router.db_for_write(self.model), ["id"], [key])

    def key_of(self, entity: str, names: tuple[str, ...]) -> tuple[int | None, int]:
        """Store the ChangeSet of these names; return its key, and how many names had no room.

        The key is None for no names. Names are left out if they would make too many changed fields.

        It takes no query if this process has seen the set stored. Inside a transaction it always
        takes one, because the error of the foreign key would appear only at COMMIT.
        """
        is_small = sum(map(getsizeof, names)) <= _MAX_BYTES_OF_A_LIST
        identify = _identified if is_small else _identified.__wrapped__
        key, distinct = identify(entity, names)
        using = router.db_for_write(self.model)
        in_transaction = connections[using].in_atomic_block
        if key is None or ((using, key) in _stored and not in_transaction):
            return key, 0
        if not self._is_stored(key, using):
            allowed = self._within_bounds(entity, distinct, using)
            if len(allowed) < len(distinct):
                return self.key_of(entity, allowed)[0], len(distinct) - len(allowed)
            self._write(key, entity, distinct, using)
        # In a transaction, the set may be rolled back, so it is not remembered.
        if not in_transaction:
            remember(using, key)
        return key, 0

    def forget_if_gone(self, key: int | None) -> bool:
        """Return whether a set is not stored any more; if so, do not remember it."""
        using = router.db_for_write(self.model)
        if key is None or self._is_stored(key, using):
            return False
        _stored.discard((using, key))
        return True

    def _is_stored(self, key: int, using: str) -> bool:
        """Return whether a set is stored: a question of the first delivery of each process."""
        connection = connections[using]
        table = connection.ops.quote_name(self.model._meta.db_table)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT 1 FROM {table} WHERE id = %s", [key])  # noqa: S608
            return cursor.fetchone() is not None

    def _within_bounds(self, entity: str, names: tuple[str, ...], using: str) -> tuple[str, ...]:
        """Return the names that are stored as changed fields, and those others that have room."""
        fields = ChangedField.objects.using(using)
        of_entity = fields.filter(entity=entity)
        known = set(of_entity.filter(name__in=names).values_list("name", flat=True))
        new = [name for name in names if name not in known]
        if not new:
            return names
        room = min(self.MAX_FIELDS_OF_ENTITY - of_entity.count(), self.MAX_FIELDS - fields.count())
        known.update(new[: max(room, 0)])
        return tuple(name for name in names if name in known)

    def _write(self, key: int, entity: str, names: tuple[str, ...], using: str) -> None:
        """Write fields, set and links in an order in which two writers cannot deadlock."""
        fields = ChangedField.objects.using(using)
        links = self.model.fields.through
        with own_transaction(using):
            fields.bulk_create(
                [ChangedField(entity=entity, name=name) for name in names], ignore_conflicts=True
            )
            self.using(using).bulk_create([self.model(pk=key)], ignore_conflicts=True)
            linked = fields.filter(entity=entity, name__in=names).values_list("pk", flat=True)
            links.objects.using(using).bulk_create(
                [links(changeset_id=key, changedfield_id=field) for field in linked],
                ignore_conflicts=True,
            )


class ChangeSet(models.Model):
    """A distinct set of changed fields of one entity; its key is made from their names.

    So each process knows the key of a set without a query. A key always means the same set, even
    after rows were deleted, flushed or restored.
    """

    id = models.BigIntegerField(primary_key=True, editable=False)
    fields = models.ManyToManyField(
        ChangedField, related_name="change_sets", verbose_name=_("changed fields")
    )

    objects = ChangeSetManager()

    class Meta:
        verbose_name = _("change set")
        verbose_name_plural = _("change sets")

    def __str__(self) -> str:
        return f"{self.pk:016x}"


# (database, key) of sets this process has seen committed. A cache only: if a set was deleted by
# another process, the INSERT of an event fails and is tried again.
_stored: set[tuple[str, int]] = set()


@receiver(post_migrate)
def _forget_all(**kwargs: Any) -> None:
    """Forget all sets after a flush, which sends this signal."""
    _stored.clear()


def remember(using: str, key: int) -> None:
    """Note that a set is stored. If there are too many, forget the others."""
    if len(_stored) >= _MAX_REMEMBERED:
        _stored.clear()
    _stored.add((using, key))


@lru_cache(maxsize=1000)
def _identified(entity: str, names: tuple[str, ...]) -> tuple[int | None, tuple[str, ...]]:
    """Return the key of a list of names, and its distinct names; None for no names.

    The key has 63 bits of a digest. Among a hundred thousand sets, the chance that two have the
    same key is 1 : 10^9.
    """
    distinct = sorted({_as_stored(name) for name in names} - {""})
    digest = hashlib.sha256("\n".join([entity, *distinct]).encode()).digest()
    return int.from_bytes(digest[:8]) >> 1 if distinct else None, tuple(distinct)


def _as_stored(name: str) -> str:
    # Without line breaks, which separate the names in the digest.
    return " ".join(name.lower().split())[:_NAME_LENGTH].rstrip()
