"""Studies with ladders for tests: made without a classifier, so that they are there in a moment."""

from django.utils import timezone

from attacks.engine.controls import mirrored, shuffled_noise
from attacks.engine.ladder import ladder
from attacks.engine.pairs import norms_of
from core.images import read_pixels
from core.models import User
from study.design.ladders import arm_of
from study.models import Assignment, Stimulus, Study
from study.protocol import life
from study.protocol.ladders import Ladder
from tests import factories

SIZES = (0.5, 1.0, 2.0, 4.0, 8.0, 14.0)


def draft(*, noise: bool = True, ladder_: str = Study.Ladder.ADAPTIVE, **fields) -> Study:
    """Four cases on a ladder of six levels, and with ``noise`` on a second one."""
    names = ["perturbed", *(["noise"] if noise else [])]
    adaptive = ladder_ == Study.Ladder.ADAPTIVE
    ladders = {name: Ladder(name, "test", "l2", SIZES).to_json(adaptive) for name in names}
    asked = {"cases": 4, "size": 24, "copies": 1, "guides": 0, "trials": 10, "identical": 3, "min_gap": 2}
    study = factories.draft_study(**(asked | {"task": Study.Task.PAIR, "ladder": ladder_, "ladders": ladders} | fields))
    for case in study.cases.all():
        original, altered = (read_pixels(s.image.name, sha256=s.sha256) for s in case.stimuli.order_by("arm"))
        case.stimuli.filter(arm="perturbed").delete()
        for step, pixels in enumerate(ladder(original, altered, SIZES, norm="l2", seed=case.number), start=1):
            _store(case, arm_of("perturbed", step), original, pixels)
            if noise:
                _store(case, arm_of("noise", step), original, shuffled_noise(original, pixels, seed=step))
        case.flips = {"perturbed": {"flip": 1.0}, **({"noise": {"limit": SIZES[-1]}} if noise else {})}
        case.save()
    return study


def bias(**fields) -> Study:
    """A draft in which two twins of equal energy are compared; ``toward`` is the one that the model calls tumour."""
    study = factories.draft_study(
        **({"cases": 4, "size": 24, "copies": 1, "guides": 0, "min_gap": 1, "task": "bias"} | fields)
    )
    for case in study.cases.all():
        original, altered = (read_pixels(s.image.name, sha256=s.sha256) for s in case.stimuli.order_by("arm"))
        case.stimuli.filter(arm="perturbed").delete()
        for arm, pixels in zip(("toward", "away"), mirrored(original, altered)):
            _store(case, arm, original, pixels)
    return study


def _store(case, arm, original, pixels) -> None:
    stimulus = Stimulus(case=case, arm=arm, norm="l2", attack="test", model_prob=0.1, **norms_of(original, pixels))
    stimulus.model_label = False
    stimulus.sha256 = factories._stored(stimulus.image, factories.fixed_png(pixels))
    stimulus.save()


def opened(*, readers: tuple[str, ...] = ("reader",), **fields) -> Study:
    """Frozen and opened; its readers have consented."""
    if fields.get("task") == "bias":
        study = bias(**{name: value for name, value in fields.items() if name != "ladder_"})
    else:
        study = draft(**fields)
    for name in readers:
        life.assign_reader(
            study=study, reader=User.objects.filter(username=name).first() or factories.user(name), actor="test"
        )
    life.freeze_study(study=study, actor="test")
    study = life.open_study(study=study, actor="test")
    now = timezone.now()
    Assignment.objects.filter(study=study).update(consented_at=now, practised_at=now)
    return study
