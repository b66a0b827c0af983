"""A blinded study from an attack's flipped patches: drawn, written, frozen and opened."""

from typing import Any

from attacks.models import Attack
from core.commands import JsonCommand
from core.errors import InvalidInput
from core.models import User
from study.models import Study
from study.protocol.building import QUESTIONS, StudySettings, build_study
from study.protocol.verdicts import judge_again


class Command(JsonCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("--attack", required=True, help="name of the attack whose flipped patches are the pool")
        parser.add_argument("--name", required=True, help="the study's name; its address is made of it")
        parser.add_argument("--cases", type=int, default=20, help="positive cases (default 20)")
        parser.add_argument("--negatives", type=int, default=0, help="negative cases (default 0)")
        parser.add_argument("--copies", type=int, default=2, help="sets: how often each stimulus is read (default 2)")
        parser.add_argument("--min-gap", type=int, default=5, help="least distance of two stimuli of a patch")
        parser.add_argument("--washout-hours", type=float, default=336.0, help="between sets (default two weeks)")
        parser.add_argument("--task", choices=Study.Task.values, default=Study.Task.LABELLING)
        parser.add_argument("--question", action="append", choices=QUESTIONS, help="optional question; repeatable")
        parser.add_argument("--margin", type=float, default=0.10, help="for equivalence, a fraction (default 0.10)")
        parser.add_argument("--alpha", type=float, default=0.025, help="one-sided level (default 0.025)")
        parser.add_argument("--scale", type=int, default=2, help="device pixels per patch pixel (default 2)")
        parser.add_argument("--surroundings", choices=Study.Surroundings.values, default=Study.Surroundings.DARK)
        parser.add_argument("--practice", type=int, default=4, help="practice patches from outside the study")
        parser.add_argument("--stratify", choices=["group", "tumour_cells", "margin"])
        parser.add_argument("--reader", action="append", default=[], help="user name of a reader; repeatable")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--draft", action="store_true", help="stop before freezing")
        parser.add_argument("--by", default="command line", help="who builds it, for the log")

    def run(self, **options: Any) -> dict[str, Any]:
        try:
            attack = Attack.objects.select_related("classifier__dataset").get(name=options["attack"])
        except Attack.DoesNotExist:
            known = ", ".join(Attack.objects.values_list("name", flat=True)[:20]) or "none yet"
            raise InvalidInput(f"--attack: there is no attack '{options['attack']}'. Attacks: {known}.") from None
        study = build_study(
            name=options["name"],
            attack=attack,
            seed=options["seed"],
            actor=options["by"],
            readers=[_reader(name) for name in options["reader"]],
            freeze=not options["draft"],
            judge=judge_again,
            settings=StudySettings(
                positives=options["cases"],
                negatives=options["negatives"],
                copies=options["copies"],
                min_gap=options["min_gap"],
                washout_hours=options["washout_hours"],
                task=options["task"],
                questions=tuple(options["question"] or ("confidence",)),
                margin=options["margin"],
                alpha=options["alpha"],
                scale=options["scale"],
                surroundings=options["surroundings"],
                practice=options["practice"],
                stratify=options["stratify"],
            ),
            progress=self.progress("writing stimuli", unit="case"),
        )
        arms = study.cases.first().stimuli.count()
        return {
            "study": study.slug,
            "state": study.state,
            "cases": study.cases.count(),
            "arms": arms,
            "copies": study.copies,
            "readers": [assignment.code for assignment in study.assignments.all()],
            "presentations_per_reader": study.cases.count() * arms * study.copies
            if study.task == Study.Task.LABELLING
            else study.cases.count() * (arms - 1) * study.copies,
            "pool": study.source["pool"],
            "seed": study.seed,
            "protocol_sha256": study.protocol_sha256,
            "verdicts_checked": (study.protocol or {}).get("verdicts_checked"),
        }


def _reader(name: str) -> User:
    try:
        return User.objects.get(username=name)
    except User.DoesNotExist:
        raise InvalidInput(f"--reader: there is no user '{name}'; `manage.py invite_reader` makes one.") from None
