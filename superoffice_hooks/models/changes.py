"""Lists of changed fields, each distinct list stored once.

SuperOffice repeats the same lists endlessly: a thousand tickets closed by one rule send a thousand
times the same names. An Event points at its ChangeSet, so a list costs one foreign key and "which
events changed ticket.priority" is an index look-up on every database.
"""

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, ClassVar

from django.db import connections, models, router, transaction
from django.db.models.signals import post_migrate
from django.dispatch import receiver
from django.utils.translation import gettext_lazy as _

from ..values import one_line
from .identifier import IdentifierField

_NAME_LENGTH = 128
# A tenant has some hundreds of distinct lists; each takes about 150 bytes here.
_MOST_REMEMBERED = 10_000


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
        # changed("priority") names no entity.
        indexes: ClassVar = [models.Index(fields=["name"], name="superoffice_changedfield_name")]

    def __str__(self) -> str:
        return one_line(f"{self.entity}.{self.name}")


class ChangeSetManager(models.Manager["ChangeSet"]):
    """Finds the row of a list of names, or writes it."""

    def for_names(self, entity: str, names: Iterable[str]) -> "ChangeSet | None":
        """The stored ChangeSet of these names, whatever their order and case; None for no names."""
        if (key := self.key_of(entity, tuple(names))) is None:
            return None
        return self.model.from_db(router.db_for_write(self.model), ["id"], [key])

    def key_of(self, entity: str, names: tuple[str, ...]) -> int | None:
        """The key of the stored ChangeSet of these names; None for no names.

        No query where this process has seen the set stored, unless a transaction surrounds us: in
        one, a set that is gone meanwhile would show only as it commits. Otherwise one query where
        the set is known.
        """
        key, distinct = _identify(entity, names)
        if key is None:
            return None
        using = router.db_for_write(self.model)
        if connections[using].in_atomic_block:
            # What is found or written here may be rolled back, so it is not remembered.
            self._ensure(key, entity, distinct, using)
        elif (using, key) not in _stored:
            self._ensure(key, entity, distinct, using)
            _remember(using, key)
        return key

    def forget_if_gone(self, key: int | None) -> bool:
        """Whether a set is not stored, or not any more; it is looked for again next time."""
        using = router.db_for_write(self.model)
        if key is None or self.using(using).filter(pk=key).exists():
            return False
        _stored.discard((using, key))
        return True

    def _ensure(self, key: int, entity: str, names: tuple[str, ...], using: str) -> None:
        if not self.using(using).filter(pk=key).exists():
            self._write(key, entity, names, using)

    def _write(self, key: int, entity: str, names: tuple[str, ...], using: str) -> None:
        """Fields, set and links together, in an order in which two writers cannot deadlock."""
        with transaction.atomic(using=using):
            fields = ChangedField.objects.using(using)
            fields.bulk_create(
                [ChangedField(entity=entity, name=name) for name in names], ignore_conflicts=True
            )
            change_set, created = self.using(using).get_or_create(pk=key)
            if created:
                change_set.fields.set(fields.filter(entity=entity, name__in=names))


class ChangeSet(models.Model):
    """A distinct set of changed fields of one entity; its key is made from their names.

    So every process knows the key of a set without asking, and no two sets can be taken for one
    another, whatever was deleted, flushed or restored meanwhile.
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


# (database, key) of sets this process has seen committed. It saves a look-up and decides nothing: a
# set that is gone all the same costs the INSERT of an event, which is then tried again.
_stored: set[tuple[str, int]] = set()


@receiver(post_migrate)
def _forget_all(**kwargs: Any) -> None:
    """After a flush, which says so by this signal, nothing is stored."""
    _stored.clear()


def _remember(using: str, key: int) -> None:
    if len(_stored) >= _MOST_REMEMBERED:
        _stored.clear()
    _stored.add((using, key))


@lru_cache(maxsize=1000)
def _identify(entity: str, names: tuple[str, ...]) -> tuple[int | None, tuple[str, ...]]:
    """The key of a list, as sent, and its distinct names; None if there are none.

    63 bits of a digest: of a hundred thousand sets, two share one with a chance of 1 : 10^9.
    """
    distinct = sorted({name.strip().lower()[:_NAME_LENGTH] for name in names} - {""})
    digest = hashlib.sha256("\n".join([entity, *distinct]).encode()).digest()
    return int.from_bytes(digest[:8]) >> 1 if distinct else None, tuple(distinct)
