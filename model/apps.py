from django.apps import AppConfig


class ModelConfig(AppConfig):
    name = "model"
    verbose_name = "Patches and classifiers"
    default_auto_field = "django.db.models.BigAutoField"
