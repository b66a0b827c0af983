"""People in Django's admin, and what rows that jobs and commands write have in common there."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from core.models import User


@admin.register(User)
class PersonAdmin(UserAdmin):
    list_display = ["username", "email", "role", "is_active", "last_login"]
    list_filter = ["role", "is_active"]
    fieldsets = [*(UserAdmin.fieldsets or ()), ("Blindspot", {"fields": ["role"]})]
    add_fieldsets = [*UserAdmin.add_fieldsets, ("Blindspot", {"fields": ["role"]})]


class WrittenByJobs(admin.ModelAdmin):
    """Rows to look at, and to delete with their files. A row that another one needs stays: Django names that one."""

    def delete(self, row: Any) -> None:
        """Call the wing's service that deletes one row with its files."""
        raise NotImplementedError

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        self.delete(obj)

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        """All of the chosen rows, or none."""
        for row in queryset:
            self.delete(row)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[list[str], dict[str, int], set, list]:
        """The chosen rows by name, and what goes with them as counts: a data set has thousands of patches."""
        _, counts, forbidden, protected = super().get_deleted_objects(objs, request)
        return [str(row) for row in objs], counts, forbidden, protected
