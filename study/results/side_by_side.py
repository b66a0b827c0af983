"""Studies side by side: what was fixed, who reads, and what was found where the arms are open.

Each study answers its own planned question. Its estimates stand here with their intervals; there is no p across
studies, for no such comparison was planned.
"""

from collections.abc import Iterator
from typing import Any

from django.core.cache import cache
from django.urls import reverse

from core.errors import InvalidInput
from core.measures import named
from core.side_by_side import Cell, Line, Thing
from study import blinds as selectors
from study.models import Study
from study.protocol import documents
from study.results.analysis import KEEP_S, analysis_of, what_is_analysed
from study.results.exports import visibility
from study.results.exports.report import VERDICTS
from study.results.exports.tables import interval, percent, percents, points, present
from study.results.tidy import tidy_table
from study.results.verified import verification_of
from study.statistics.levels import Level, levels

STATE, PARTICIPANTS, ESTIMATES = "State", "Participants", "Estimates"
FIXED = ("Question", "Analysis", "Images", "Classifier and attack", "Reading")
"""Sections of what was chosen, as ``documents.facts`` has them."""
OWN = {"Readers", "Schedules"}
"""Facts that tell the studies apart without being chosen differently."""
OVER = "mean over readers"


def thing(study: Study) -> Thing:
    notes = []
    if selectors.arms_open(study) and (problems := verification_of(study).problems):
        notes = [f"This study is not what was fixed, answered and logged: {len(problems)} problems."]
    address = reverse("study:study", args=[study.slug])
    return Thing(study.slug, study.name, address, study.get_state_display(), study.state, tuple(notes))


def lines(study: Study) -> Iterator[Line]:
    """All that is shown of one study."""
    for name, at in (("Frozen", study.frozen_at), ("Opened", study.opened_at), ("Closed", study.closed_at),
                     ("Unblinded", study.unblinded_at)):  # fmt: skip
        yield STATE, name, Cell(at.isoformat() if at else "not yet", at=at)
    yield STATE, "Protocol", Cell(f"SHA-256 {study.protocol_sha256[:12]}…" if study.protocol_sha256 else "not fixed")
    yield from _participants(study)
    yield from _estimates(study)
    for section in documents.facts(study):
        for title, value in section["rows"]:
            if title not in OWN:
                yield section["title"], title, Cell(str(value), str(value))
    for title, words in (
        ("Break reminders", f"every {study.break_every} images" if study.break_every else "none"),
        ("Consent text", study.consent_text or "none"),
        *([("Pairs", study.get_pair_display_display())] if study.paired else []),
    ):
        yield "Reading", title, Cell(words, words)


def _participants(study: Study) -> Iterator[Line]:
    taking_part = study.assignments.filter(withdrawn_at=None)
    planned, answered = selectors.progress_counts(study)
    yield PARTICIPANTS, "Readers", _count(taking_part.count())
    yield PARTICIPANTS, "Withdrawn", _count(study.assignments.exclude(withdrawn_at=None).count())
    yield PARTICIPANTS, "Simulated readers", _count(taking_part.filter(simulated=True).count())
    yield PARTICIPANTS, "Cases", _count(study.cases.count())
    share = f"{answered} of {planned}" if planned else "none planned yet"
    yield PARTICIPANTS, "Answers", Cell(share, answered if planned else None)


def _count(number: int) -> Cell:
    return Cell(str(number), number)


def _estimates(study: Study) -> Iterator[Line]:
    """Nothing of the arms before unblinding: ``analysis_of`` refuses, and this says so beforehand."""
    if not selectors.arms_open(study):
        state = study.get_state_display()
        yield ESTIMATES, "Results", Cell(f"none yet: the study is {state}", note="they open when it is unblinded")
        return
    try:
        found = analysis_of(study).to_json()
    except InvalidInput as error:
        yield ESTIMATES, "Results", Cell("none", note=str(error))
        return
    yield (
        ESTIMATES,
        "Results",
        Cell("analysed", note="finished" if not found["warnings"] else "with cautions: see its results"),
    )
    yield from _labelling(study, found)
    yield from _pairs(found)
    yield from _ladders(found)


def _labelling(study: Study, found: dict[str, Any]) -> Iterator[Line]:
    primary = found["primary"]
    if primary["ci"] is None:
        return
    arms = _levels(study, found["perturbed_arm"])
    for arm, level in arms.items():
        yield ESTIMATES, f"TPF, {arm}", _share(level.tpf)
    yield ESTIMATES, "TPF, change in points", _change(primary, f"{100 * primary['level']:g} % interval")
    yield ESTIMATES, "Planned verdict", _verdict(primary)
    for arm, level in arms.items():
        yield ESTIMATES, f"Specificity, {arm}", _share(level.tnf)
    if found["specificity"]:
        other = found["specificity"]["primary"]
        yield ESTIMATES, "Specificity, change in points", _change(other, f"{100 * other['level']:g} % interval")
    for arm, level in arms.items():
        yield ESTIMATES, f"d′, {arm}", _number(level.d_prime)
    change = ((found["detection"]["negatives"] or {}).get("change") or {}).get("d_prime")
    yield ESTIMATES, "d′, change", _number(change)


def _levels(study: Study, perturbed: str) -> dict[str, Level]:
    """Kept as long as the analysis is, and for the same answers."""
    key = f"levels:{what_is_analysed(study)}"
    kept = cache.get(key)
    if kept is None:
        found = levels(tidy_table(study), ("original", perturbed), source=f"study {study.slug}")
        kept = {"original": found["original"], "perturbed": found[perturbed]}
        cache.set(key, kept, KEEP_S)
    return kept


def _verdict(primary: dict[str, Any]) -> Cell:
    if primary.get("withheld"):
        return Cell("none is given", note=primary["withheld"])
    return Cell(VERDICTS[primary["verdict"]].format(margin=100 * (primary["margin"] or 0)), primary["verdict"])


def _change(primary: dict[str, Any], of: str) -> Cell:
    if not present(primary["delta"]):
        return Cell(note="not known")
    low, high = primary["ci"] or (None, None)
    ends = f" ({interval(primary['ci'])})" if primary["ci"] else ""
    return Cell(f"{points(primary['delta'])}{ends}", primary["delta"], low, high, note=of if ends else "no interval")


def _share(value: Any) -> Cell:
    """A share over readers, in percent."""
    mean, ci, reason = _overall(value)
    if mean is None:
        return Cell(note="not asked of these patches")
    low, high = ci or (None, None)
    return Cell(f"{percent(mean)}{f' ({percents(list(ci))})' if ci else ''}", mean, low, high, note=_why(ci, reason))


def _number(value: Any) -> Cell:
    """A number over readers, such as d'."""
    mean, ci, reason = _overall(value)
    if mean is None:
        return Cell(note="needs patches with and without tumour")
    low, high = ci or (None, None)
    ends = f" ({_fixed(ci[0])} to {_fixed(ci[1])})" if ci else ""
    return Cell(f"{_fixed(mean)}{ends}", mean, low, high, note=_why(ci, reason))


def _overall(value: Any) -> tuple[float | None, Any, str]:
    """Mean, interval and reason of an ``Overall``, or of its JSON."""
    if value is None:
        return None, None, ""
    get = value.get if isinstance(value, dict) else lambda name: getattr(value, name)
    return get("mean"), get("ci95"), get("reason") or ""


def _why(ci: Any, reason: str) -> str:
    return f"{OVER}, 95 % interval" if ci else f"{OVER}; no interval: {reason}"


def _fixed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _pairs(found: dict[str, Any]) -> Iterator[Line]:
    for key, title in (
        ("pair_comparison", "Altered image named"),
        ("bias_task", "The one pushed toward tumour chosen"),
    ):
        pair = found["detection"].get(key)
        if pair:
            yield ESTIMATES, title, _share(pair["mean_proportion"])
            yield ESTIMATES, f"{title}, d′", _number(pair["mean_d_prime"])


def _ladders(found: dict[str, Any]) -> Iterator[Line]:
    for one in found["visibility"]:
        name, unit = visibility.title(one), named(one["norm"])
        for title, key, words in (
            (f"Threshold of readers, {unit}", "threshold", _small), ("Blind-spot index", "index", percent),
            ("Safety factor", "factor", _small),
        ):  # fmt: skip
            yield ESTIMATES, f"{name}: {title}", _ends(one, key, words)


def _ends(one: dict[str, Any], key: str, words: Any) -> Cell:
    value, ci = one[key], one[f"{key}_ci95"]
    if not present(value):
        return Cell(note=one["reasons"].get(key, "not known"))
    low, high = ci or (None, None)
    ends = f" ({words(low)} to {words(high)})" if present(ci) else ""
    return Cell(f"{words(value)}{ends}", value, low, high, note="95 % interval" if ends else "no interval")


def _small(value: float) -> str:
    return f"{value:.3g}"
