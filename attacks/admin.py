from django.contrib import admin

from attacks.models import Attack


@admin.register(Attack)
class AttackAdmin(admin.ModelAdmin):
    list_display = ["name", "classifier", "kind", "norm", "budget", "created_at", "completed_at"]
    list_filter = ["kind", "norm"]

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False
