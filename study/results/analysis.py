"""The analysis of a study: its tidy table, its frozen margin, its classifier's Table 1a."""

from typing import Any

from django.core.cache import cache
from django.db.models import Max

from core.errors import InvalidInput
from study import blinds as selectors
from study.models import Response, Stimulus, Study
from study.protocol.deviations import deviations
from study.results.tidy import tidy_table
from study.results.verified import verification_of
from study.statistics.analysis import Analysis, analyse

KEEP_S = 3600


def analysis_of(study: Study) -> Analysis:
    """Analyse an unblinded study, by its frozen protocol. Kept for an hour, as nothing in it can change.

    Raises:
        StillBlinded: the arms are not open yet.
        InvalidInput: the study has no presentations.
    """
    selectors.demand_arms_open(study)
    key = f"analysis:{what_is_analysed(study)}"
    kept = cache.get(key)
    if kept is not None:
        return kept
    table = tidy_table(study)
    if table.empty:
        raise InvalidInput(f"Study '{study.slug}' has no presentations: no reader was assigned.")
    result = analyse(
        table,
        margin=study.margin,
        alpha=study.alpha,
        model=model_part(study),
        invited=study.assignments.count(),
        questionnaire=questionnaires(study),
        floor_tpf=study.floor_tpf,
        floor_d_prime=study.floor_d_prime,
        source=f"study {study.slug}",
    )
    # A set that was reopened holds every answer and is not finished: both are said.
    started = study.assignments.filter(sets__presentations__responses__isnull=False).distinct()
    result.flow["readers"]["declared_finished"] = started.exclude(sets__completed_at=None).count()
    simulated = list(study.assignments.filter(simulated=True).values_list("code", flat=True))
    if simulated:
        result.warnings.insert(0, f"Simulated readers, not people: {', '.join(simulated)}. These are no findings.")
    result.flow["deviations"] = deviations(study)
    if said := verification_of(study, again=True).in_a_sentence():
        result.warnings.insert(0, said)
    cache.set(key, result, KEEP_S)
    return result


def what_is_analysed(study: Study) -> str:
    """Names the protocol, the answers and the measured stimuli that a result was made from, for keeping it."""
    last = Response.objects.filter(presentation__reading_set__assignment__study=study).aggregate(last=Max("pk"))["last"]
    stimuli = Stimulus.objects.filter(case__study=study)
    measured = stimuli.filter(ciede2000__isnull=False).count()
    predicted = stimuli.exclude(arm="catch").order_by("pk").values_list("predicted", flat=True).last() or {}
    return f"{study.pk}:{study.protocol_sha256}:{last}:{measured}:{','.join(sorted(predicted))}"


def model_part(study: Study) -> dict[str, Any]:
    """What the study's snapshot knows of its classifier."""
    source = study.source or {}
    classifier = source.get("classifier") or {}
    return {
        "table_1a": source.get("table_1a"),
        "classifier": {}
        if not classifier
        else {key: classifier.get(key) for key in ("id", "name", "arch", "initialisation", "weights_sha256")},
        "test_metrics": classifier.get("metrics"),
    }


def questionnaires(study: Study) -> list[dict[str, Any]]:
    """Answers to the blinding questionnaire, by pseudonym."""
    return [
        {"reader": row.code, **(row.questionnaire or {})}
        for row in study.assignments.exclude(questionnaire=None).order_by("code")
    ]
