"""What the attacks wing does as jobs."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.urls import reverse

from attacks.models import Attack, Battery, Comparison, PairSet, Transfer
from core import uploads
from jobs.registry import Link, by_name, job
from jobs.selectors import made_before
from model.models import Classifier

_attack = by_name(Attack, "attack", "attacks:attack")
_battery = by_name(Battery, "battery", "attacks:battery")
_transfer = by_name(Transfer, "transfer", "attacks:transfer", "transfer table {name}")
_curves = by_name(Classifier, "classifier", "attacks:curves", "success curves of {name}")
_comparison = by_name(Comparison, "comparison", "attacks:comparison")
_pairs = by_name(PairSet, "pairs", "attacks:pair_set", "pairs {name}")


def _measured(arguments: dict[str, Any], result: dict[str, Any]) -> list[Link]:
    return _attack(arguments, result) + _pairs(arguments, result)


def _form(kind: str) -> Callable[[dict[str, Any]], str]:
    return lambda arguments: f"{reverse('attacks:attack_new')}?kind={kind}"


def _address(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda arguments: reverse(name)


def _curves_form(arguments: dict[str, Any]) -> str:
    found = Classifier.objects.filter(name=arguments.get("classifier", "")).first()
    return reverse("attacks:curves_new", args=[found.pk]) if found else reverse("model:classifiers")


def _figures(arguments: dict[str, Any], result: dict[str, Any]) -> list[Link]:
    return [Link("figures", "attacks:gallery", (arguments["of"], arguments["pk"]))]


def _asked(context, classifier: str) -> dict[str, Any]:
    """What every service takes from a job beside its settings."""
    from attacks.selectors import classifier_named

    return {
        "classifier": classifier_named(classifier),
        "created_by": context.job.requested_by,
        "progress": context.progress,
    }


def _then_measure(context, *attacks: Attack) -> None:
    """When an attack's images are all there, the next job measures how different they look."""
    from attacks.measure_requests import measure_attack

    if context.part is None:
        for found in attacks:
            measure_attack(attack=found, by=context.job.requested_by)


@job("attack", title="Attack", unit="patches", divisible=True, links=_attack, form=_form("pgd"))
def attack(context, *, classifier: str, **settings: Any) -> dict:
    """``settings`` are those of ``attacks.services.run_attack``; its ``chunk`` is what is dealt to workers."""
    from attacks.services import run_attack

    found = run_attack(**_asked(context, classifier), **settings)
    _then_measure(context, found)
    shown = ("images", "attacked", "flipped", "flipped_positives", "seconds")
    return {"attack": found.name} | {key: found.summary[key] for key in shown if key in found.summary}


@job("minimal", title="Minimal perturbations", unit="patches", divisible=True, links=_attack, form=_form("minimal"))
def minimal(context, *, classifier: str, **settings: Any) -> dict:
    """``settings`` are those of ``attacks.sweeps.run_minimal``; its ``chunk`` is what is dealt to workers."""
    from attacks.sweeps import run_minimal

    found = run_minimal(**_asked(context, classifier), **settings)
    _then_measure(context, found)
    return {"attack": found.name, "flipped": found.summary.get("flipped")}


@job("universal", title="Universal perturbation", unit="steps", links=_attack, form=_form("universal"))
def universal(context, *, classifier: str, **settings: Any) -> dict:
    """``settings`` are those of ``attacks.sweeps.run_universal``: learned once, then judged chunk by chunk."""
    from attacks.sweeps import run_universal

    found = run_universal(**_asked(context, classifier), **settings)
    _then_measure(context, found)
    return {"attack": found.name, "unseen": found.summary.get("unseen"), "published": found.summary.get("published")}


@job("battery", title="Battery of attacks", unit="patches", links=_battery, form=_address("attacks:battery_new"))
def battery(context, *, classifier: str, others: list[str], **settings: Any) -> dict:
    """``settings`` are those of ``attacks.battery_services.run_battery``."""
    from attacks.battery_services import run_battery
    from attacks.selectors import classifier_named

    found = run_battery(**_asked(context, classifier), others=[classifier_named(other) for other in others], **settings)
    _then_measure(context, *found.attacks.all())
    return {"battery": found.name, "robust_accuracy": found.summary["worst"], "flags": len(found.summary["flags"])}


@job(
    "transfer",
    title="Transfer between classifiers",
    unit="cells",
    links=_transfer,
    form=_address("attacks:transfer_new"),
)
def transfer(context, *, name: str, classifiers: list[str], **settings: Any) -> dict:
    """``settings`` are those of ``attacks.transfer_services.run_transfer``."""
    from attacks.selectors import classifier_named
    from attacks.transfer_services import run_transfer

    found = made_before(Transfer, name, context.job) if name else None
    if found is None:
        found = run_transfer(
            name=name,
            classifiers=[classifier_named(one) for one in classifiers],
            created_by=context.job.requested_by,
            progress=context.progress,
            **settings,
        )
    return {"transfer": found.name}


@job("success_curves", title="Success curves", unit="patches", links=_curves, form=_curves_form)
def success_curves(context, *, classifier: str, **settings: Any) -> dict:
    """Fig. 4: a minimal search per norm; those that are there already are used again."""
    from attacks.sweeps import run_success_curves

    found = run_success_curves(**_asked(context, classifier), **settings)
    _then_measure(context, *found["attacks"].values())
    return {"classifier": classifier, "attacks": {key: one.name for key, one in found["attacks"].items()}}


@job("corruptions", title="Natural changes", unit="images", links=_attack, form=_form("natural"))
def corruptions(context, *, classifier: str, **settings: Any) -> dict:
    """Blur, JPEG, stain and the like, in steps of strength: how often each flips the classifier."""
    from attacks.sweeps import run_corruptions

    return {"attack": run_corruptions(**_asked(context, classifier), **settings).name}


@job(
    "compare",
    title="Compare two classifiers",
    unit="patches",
    links=_comparison,
    form=_address("attacks:comparison_new"),
)
def compare(context, *, first: str, second: str, **settings: Any) -> dict:
    """Accuracy, robust accuracy, smallest flips, calibration and saliency of two classifiers on the same patches."""
    from attacks import figures, gallery
    from attacks.comparing import run_comparison
    from attacks.selectors import classifier_named
    from core.errors import InvalidInput

    found = run_comparison(
        first=classifier_named(first),
        second=classifier_named(second),
        created_by=context.job.requested_by,
        progress=context.progress,
        **settings,
    )
    for recipe in gallery.figures_of(found):
        with suppress(InvalidInput):  # nothing that both get right, say: the gallery tells why
            figures.make(recipe.name, found)
    return {"comparison": found.name, "patches": found.result["patches"]}


@job("worst_case", title="Natural changes at their worst", unit="patches", links=_attack, form=_form("worst"))
def worst_case(context, *, classifier: str, **settings: Any) -> dict:
    """Stain, tone, focus, place and the like at their worst within bounds, beside random draws within them."""
    from attacks.worst_services import run_worst_case

    found = run_worst_case(**_asked(context, classifier), **settings)
    _then_measure(context, found, *Attack.objects.filter(name=found.summary["random"]))
    return {"attack": found.name, "beside": found.summary["random"], "any": found.summary["worst"][-1]}


@job(
    "import_pairs",
    title="Import pairs",
    unit="pairs",
    links=_pairs,
    form=lambda arguments: reverse("attacks:pairs_new"),
    cleanup=lambda **arguments: uploads.forget(arguments.get("upload", "")),
)
def import_pairs(
    context,
    *,
    name: str,
    upload: str = "",
    called: str = "",
    folder: str = "",
    classifier: str = "",
    skip_bad: bool = False,
) -> dict[str, Any]:
    """A folder with ``pairs.csv``: uploaded as a zip file, or on the server."""
    from attacks import pair_services
    from attacks.engine.pairs import PAIRS
    from attacks.selectors import classifier_named

    def take(path: Any, source: dict[str, Any]) -> PairSet:
        return pair_services.import_pairs(
            name=name,
            folder=path,
            skip_bad=skip_bad,
            classifier=classifier_named(classifier) if classifier else None,
            source=source,
            created_by=context.job.requested_by,
            progress=context.progress,
        )

    found = made_before(PairSet, name, context.job)
    if found is None and upload:
        with uploads.unpacked(upload, marker=PAIRS, called=called) as path:
            found = take(path, {"folder": called})
    elif found is None:
        found = take(uploads.allowed_path(folder, field="folder"), {"folder": folder})
    told = {key: found.source[key] for key in ("left_out", "why_left_out") if key in found.source}
    return {
        "pairs": found.name,
        "count": found.pairs.count(),
        "variants": found.variants,
        "sha256": found.sha256,
    } | told


@job("measures", title="Measure how different images look", unit="images", divisible=True, links=_measured)
def measures(context, *, attack: str = "", pairs: str = "", part: tuple[int, int] | None = None) -> dict[str, Any]:
    """CIEDE2000 and MS-SSIM of what an attack made, or of imported pairs, where they have none yet."""
    from attacks import measuring
    from attacks.selectors import attack_named, pairs_named

    if attack:
        count = measuring.measure_attack(attack=attack_named(attack), part=part, progress=context.progress)
        return {"attack": attack, "measured": count}
    count = measuring.measure_pairs(pair_set=pairs_named(pairs), part=part, progress=context.progress)
    return {"pairs": pairs, "measured": count}


@job("figure", title="Draw a figure", unit="steps", links=_figures)
def figure(context, *, name: str, of: str, pk: int, **options: Any) -> dict[str, Any]:
    """A figure of the classifier, attack or cross-validation ``pk``; found again, not drawn again, if it is there."""
    from attacks import figures, gallery
    from core.errors import InvalidInput

    subject = gallery.SUBJECTS[of]._default_manager.filter(pk=pk).first() if of in gallery.SUBJECTS else None
    if subject is None:
        raise InvalidInput(f"There is no {of} with number {pk} any more.")
    drawn = figures.make(name, subject, progress=context.progress, **options)
    return {"figure": name, "of": str(subject), "caption": drawn.caption}
