"""What every row records that somebody made by a job or a command."""

from django.conf import settings
from django.db import models


class Made(models.Model):
    """By which version of the program, when, and by whom; nobody where a command made it."""

    code_version = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        abstract = True
