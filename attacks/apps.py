from django.apps import AppConfig


class AttacksConfig(AppConfig):
    name = "attacks"
    verbose_name = "Perturbations"
    default_auto_field = "django.db.models.BigAutoField"
