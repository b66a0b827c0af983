from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class ModelConfig(AppConfig):
    name = "model"
    verbose_name = "Patches and classifiers"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        autodiscover_modules("job_kinds")  # each wing says what it can do as a job
