from django.apps import AppConfig


class ModelConfig(AppConfig):
    name = "model"
    verbose_name = "Patches and classifiers"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from jobs import stored_files
        from model.selectors import trajectory_files

        stored_files.also_named(trajectory_files)
