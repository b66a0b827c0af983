"""People and their roles."""

import unicodedata
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.db import models
from django.utils import timezone


def plain_name(name: str) -> str:
    """A user name as it is stored and looked up: small letters, in Unicode's compatibility form.

    "Ann" and "ann", or "tanaka" typed full-width by an input method, are one person.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).lower())


class UserNameField(models.CharField):
    """Stored, and compared in every query, as ``plain_name`` makes it."""

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return plain_name(value) if isinstance(value, str) else value

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = self.get_prep_value(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, value)
        return value


class User(AbstractUser):
    class Role(models.TextChoices):
        ADMIN = "admin", "admin"
        RESEARCHER = "researcher", "researcher"
        READER = "reader", "reader"

    username = UserNameField(
        "user name",
        max_length=150,
        unique=True,
        help_text="Letters, digits and @ . + - _ only. Capitals make no difference.",
        validators=[UnicodeUsernameValidator()],
        error_messages={"unique": "There is a user of this name already."},
    )
    SEES_ARMS = (Role.ADMIN, Role.RESEARCHER)

    role = models.CharField(max_length=20, choices=Role.choices, default=Role.READER)
    language = models.CharField(
        max_length=10,
        blank=True,
        help_text="Of readers’ pages: en-gb, de ... Empty: their browser’s.",
    )
    arms_seen_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When they last had a role that sees arms."
    )

    @classmethod
    def from_db(cls, *args, **kwargs):
        user = super().from_db(*args, **kwargs)
        user._could_see_arms = user.__dict__.get("role") in cls.SEES_ARMS or bool(user.__dict__.get("is_superuser"))
        return user

    def save(self, *args, **kwargs):
        """Note when somebody loses a role that sees arms: they may not read what they may have seen."""
        sees_arms = self.role in self.SEES_ARMS or self.is_superuser
        if getattr(self, "_could_see_arms", False) and not sees_arms:
            self.arms_seen_until = timezone.now()
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "arms_seen_until"}
        self._could_see_arms = sees_arms
        super().save(*args, **kwargs)
