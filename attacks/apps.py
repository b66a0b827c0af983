from django.apps import AppConfig


class AttacksConfig(AppConfig):
    name = "attacks"
    verbose_name = "Perturbations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self):
        from attacks.selectors import universal_files
        from jobs import stored_files

        stored_files.also_named(universal_files)
