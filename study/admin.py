"""Django's admin: studies and readers. What is blinded or append-only is left out or read-only."""

from django.contrib import admin

from study.models import Assignment, AuditEvent, Study


class ReadOnlyAdmin(admin.ModelAdmin):
    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class AssignmentInline(admin.TabularInline):
    """A study's assignments. Services make them, with pseudonym, seed and schedule, so nothing is added here."""

    model = Assignment
    fields = ["code", "reader", "simulated", "invited_at", "consented_at", "withdrawn_at"]
    readonly_fields = ["code", "reader", "simulated", "invited_at", "consented_at", "withdrawn_at"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request, obj=None):
        return False


@admin.register(Study)
class StudyAdmin(ReadOnlyAdmin):
    """The source and protocol name the arms of every case, and the seed draws the cases: they are not shown."""

    list_display = ["name", "state", "task", "copies", "created_at", "opened_at", "closed_at"]
    list_filter = ["state", "task"]
    exclude = ["source", "protocol", "seed"]
    inlines = [AssignmentInline]


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor", "action", "study"]
    list_filter = ["action", "study"]
