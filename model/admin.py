from django.contrib import admin

from model.models import Classifier, CrossValidation, Dataset


@admin.register(Dataset)
class DatasetAdmin(admin.ModelAdmin):
    list_display = ["name", "kind", "positives", "negatives", "excluded", "size", "created_at"]

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False


@admin.register(Classifier)
class ClassifierAdmin(DatasetAdmin):
    list_display = ["name", "dataset", "arch", "initialisation", "weights_sha256", "created_at"]
    exclude = ["test_probabilities", "split"]


@admin.register(CrossValidation)
class CrossValidationAdmin(DatasetAdmin):
    list_display = ["dataset", "runs", "folds", "seed", "created_at", "completed_at"]
