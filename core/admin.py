"""People in Django's admin."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from core.models import User


@admin.register(User)
class PersonAdmin(UserAdmin):
    list_display = ["username", "email", "role", "is_active", "last_login"]
    list_filter = ["role", "is_active"]
    fieldsets = [*(UserAdmin.fieldsets or ()), ("Blindspot", {"fields": ["role"]})]
    add_fieldsets = [*UserAdmin.add_fieldsets, ("Blindspot", {"fields": ["role"]})]
