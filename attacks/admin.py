from django.contrib import admin

from attacks import deletion
from attacks.models import Attack, Battery, Comparison, PairSet, Transfer
from core.admin import WrittenByJobs


@admin.register(Attack)
class AttackAdmin(WrittenByJobs):
    list_display = ["name", "classifier", "kind", "norm", "budget", "created_at", "completed_at"]
    list_filter = ["kind", "norm"]

    def delete(self, row: Attack) -> None:
        deletion.delete_attack(attack=row)


@admin.register(Battery)
class BatteryAdmin(WrittenByJobs):
    list_display = ["name", "classifier", "norm", "budget", "created_at", "completed_at"]
    list_filter = ["norm"]

    def delete(self, row: Battery) -> None:
        deletion.delete_battery(battery=row)


@admin.register(Transfer)
class TransferAdmin(WrittenByJobs):
    list_display = ["name", "norm", "budget", "created_at"]

    def delete(self, row: Transfer) -> None:
        row.delete()


@admin.register(Comparison)
class ComparisonAdmin(WrittenByJobs):
    list_display = ["name", "first", "second", "created_at", "completed_at"]

    def delete(self, row: Comparison) -> None:
        deletion.delete_comparison(comparison=row)


@admin.register(PairSet)
class PairSetAdmin(WrittenByJobs):
    list_display = ["name", "classifier", "width", "height", "created_at"]

    def delete(self, row: PairSet) -> None:
        deletion.delete_pairs(pair_set=row)
