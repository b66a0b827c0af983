"""People and their roles."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone


class User(AbstractUser):
    class Role(models.TextChoices):
        ADMIN = "admin", "admin"
        RESEARCHER = "researcher", "researcher"
        READER = "reader", "reader"

    SEES_ARMS = (Role.ADMIN, Role.RESEARCHER)

    role = models.CharField(max_length=20, choices=Role.choices, default=Role.READER)
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
