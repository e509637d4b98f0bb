"""Lists of changed fields, each distinct list stored once.

SuperOffice repeats the same lists endlessly: a thousand tickets closed by one rule send a thousand
times the same names. An Event points at its ChangeSet, so a list costs one foreign key and "which
events changed ticket.priority" is an index look-up on every database.
"""

import hashlib
from collections.abc import Iterable
from typing import ClassVar

from django.db import models, router, transaction
from django.utils.translation import gettext_lazy as _

_NAME_LENGTH = 128


class ChangedField(models.Model):
    """A database column of SuperOffice that was named in some event's ``Changes``.

    Names compare without case, so they are kept in lower case; ``event.changes`` has them as sent.
    """

    entity = models.CharField(_("entity"), max_length=100)
    name = models.CharField(_("name"), max_length=_NAME_LENGTH)

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
        return f"{self.entity}.{self.name}"


class ChangeSetManager(models.Manager["ChangeSet"]):
    """Finds the row of a list of names, or writes it."""

    def for_names(self, entity: str, names: Iterable[str]) -> "ChangeSet | None":
        """The ChangeSet of these names, whatever their order and case; None for no names.

        One query where the set is known.
        """
        distinct = sorted({name.strip().lower()[:_NAME_LENGTH] for name in names} - {""})
        if not distinct:
            return None
        digest = hashlib.sha256("\n".join([entity, *distinct]).encode()).hexdigest()
        return self.filter(digest=digest).first() or self._write(entity, distinct, digest)

    def _write(self, entity: str, names: list[str], digest: str) -> "ChangeSet":
        """Fields, set and links together, in an order in which two writers cannot deadlock."""
        with transaction.atomic(using=router.db_for_write(self.model)):
            ChangedField.objects.bulk_create(
                [ChangedField(entity=entity, name=name) for name in names], ignore_conflicts=True
            )
            change_set, created = self.get_or_create(digest=digest)
            if created:
                change_set.fields.set(ChangedField.objects.filter(entity=entity, name__in=names))
            return change_set


class ChangeSet(models.Model):
    """A distinct set of changed fields of one entity, found by the digest of its names."""

    digest = models.CharField(_("digest"), max_length=64, unique=True, editable=False)
    fields = models.ManyToManyField(
        ChangedField, related_name="change_sets", verbose_name=_("changed fields")
    )

    objects = ChangeSetManager()

    class Meta:
        verbose_name = _("change set")
        verbose_name_plural = _("change sets")

    def __str__(self) -> str:
        return self.digest[:12]
