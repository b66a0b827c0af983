"""Kinds of rows: what somebody made by a job or a command, and what is only ever added; and a row by its name."""

from typing import Any

from django.conf import settings
from django.db import models

from core.errors import InvalidInput


class Made(models.Model):
    """By which version of the program, when, and by whom; nobody where a command made it."""

    code_version = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        abstract = True


class AppendOnlyError(TypeError):
    """Raised when code tries to change or delete rows of an append-only table."""


class AppendOnlyQuerySet(models.QuerySet):
    def update(self, **kwargs):
        raise AppendOnlyError("rows of this table are append-only: add a new one")

    def delete(self):
        raise AppendOnlyError("rows of this table are append-only and never deleted")


class AppendOnly(models.Model):
    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args, **kwargs):
        if self.pk is not None and not self._state.adding:
            raise AppendOnlyError("rows of this table are append-only: add a new one")
        super().save(*args, **kwargs)

    def delete(self, *args, **kwargs):
        raise AppendOnlyError("rows of this table are append-only and never deleted")


def row_named(rows: models.QuerySet, name: str, *, word: str, none: str = "none yet", field: str = "") -> Any:
    """The row of that name, or InvalidInput naming those that there are, called by ``word``."""
    found = rows.filter(name=name).first()
    if found is None:
        there = ", ".join(rows.values_list("name", flat=True)[:20]) or none
        raise InvalidInput(f"No {word} called {name!r}. There are: {there}.", field=field)
    return found
