"""``python -m tests.unblinded_study``: a migrated home with one study that was read and unblinded, ``answered``."""

import os


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from django.core.management import call_command

    from tests.study.answered import answer_all, open_study_of, unblinded

    call_command("migrate", verbosity=0)
    study = open_study_of(name="Answered")
    answer_all(study)
    unblinded(study)


if __name__ == "__main__":
    main()
