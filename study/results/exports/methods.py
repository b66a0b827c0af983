"""The methods paragraph with the study's own numbers, software versions, and the reporting checklists."""

import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from core.measures import named
from core.version import code_version
from study.protocol.secret import COMMITMENT
from study.results.exports.tables import crossed_over, interval, points, reading_word


def software() -> dict[str, str]:
    """Versions of everything that took part in a number."""
    parts = ("numpy", "scipy", "pandas", "statsmodels", "torch", "django")
    return {"blindspot": code_version(), "python": platform.python_version(), **{name: version(name) for name in parts}}


def methods_text(protocol: dict[str, Any] | None, analysis: dict[str, Any]) -> list[str]:
    """Paragraphs for a paper; what the protocol does not know is left out rather than guessed."""
    p, pair = protocol or {}, analysis["detection"]["pair_comparison"]
    design = f"{_design(p, analysis, bool(pair or analysis['visibility']))} {_stimuli(p)}".strip()
    if screens := _screens(p, analysis.get("display")):
        design = f"{design} {screens}"
    shown = analysis["flow"]["presentations"]
    data = (
        f"Every answer counted, flagged or not (intention to read): {shown['analysed']} of "
        f"{shown['scheduled_for_started']} presentations; {_amended(shown['amended'])}, and the last revision counted."
    )
    versions = ", ".join(f"{name} {number}" for name, number in software().items())
    ladders = analysis["visibility"]
    body = [_forced_choice(data)] if pair else [] if ladders else _labelling(analysis, data)
    body += [_visibility(data)] if ladders else []
    return [design, *body, f"Software: {versions}."]


def _design(p: dict[str, Any], analysis: dict[str, Any], pair: bool) -> str:
    n = analysis["n"]
    sets = f"{n['sets']} set{'s' * (n['sets'] != 1)}"
    readers = f"{n['readers']} reader{'s' * (n['readers'] != 1)}"
    if pair:
        text = f"{readers} compared {n['patches']} patches with their altered twins in {sets}, in random order and side"
    else:
        text = (
            f"{readers} read {n['patches']} patches ({n['positives']} with and {n['negatives']} without tumour "
            f"according to the reference diagnosis) as original and as {analysis['perturbed_arm']} stimulus, "
            f"{_shown(analysis, sets)}, blinded to the arm, in random order"
        )
    if p:
        text += (
            f" with {_gap(p)}; sets were separated by a "
            f"wash-out of {p.get('washout_hours'):g} hours. Case selection and schedules follow from seed "
            f"{p.get('seed')}"
            + (", schedules also from a secret that was disclosed after unblinding" if COMMITMENT in p else "")
        )
    return text + "."


def _screens(p: dict[str, Any], display: dict[str, Any] | None) -> str:
    """How large images were asked to be, and how large they were."""
    wanted = p.get("size_mm")
    text = ""
    if p.get("scale"):
        text = f"An image pixel was drawn as {p['scale']} x {p['scale']} screen pixels, without smoothing."
    if wanted:
        text = (
            f"Images were to be {wanted:g} mm wide on screens that readers measured with a bank card, at the nearest "
            f"whole number of screen pixels per image pixel (on other screens {p['scale']}), without smoothing."
        )
    if display is None:
        return f"{text} No screen was measured." if wanted else text
    width = display["width_mm"]
    found = f"{width['median']:.1f} mm wide (median)"
    if width["lowest"] != width["highest"]:
        found = f"{found[:-1]}; {width['lowest']:.1f} to {width['highest']:.1f})"
    of = f"{display['measured']} of {display['answers']} answers"
    return f"{text} They were {found}, as far as screens were measured: in {of}.".strip()


def _gap(protocol: dict[str, Any]) -> str:
    """How far the stimuli of a patch lie apart. With a wash-out and one arm per set a gap has nothing to part."""
    if protocol.get("arm_order") == "twin-split" and protocol.get("washout_hours"):
        return "no patch twice in a set"
    return f"at least {protocol.get('min_gap')} positions between two stimuli of one patch"


def _shown(analysis: dict[str, Any], sets: str) -> str:
    if crossed_over(analysis):
        return f"in {sets} that each showed a patch in one arm and crossed the arms over"
    return f"each in {sets}"


def _amended(count: int) -> str:
    return f"{count} answer{'s' * (count != 1)} had been amended"


def _stimuli(p: dict[str, Any]) -> str:
    """How every arm of the protocol came about."""
    source = p.get("source") or {}
    attack, classifier = source.get("attack") or {}, source.get("classifier") or {}
    if attack.get("kind") == "pairs":
        said = [f"The altered images were made by another program and imported as ‘{attack['name']}’."]
    elif attack and classifier:
        said = [
            f"Patches were drawn from those whose classification by {classifier.get('arch')} was correct on the "
            f"original and wrong on the perturbed image as displayed (8 bits per channel), under {_budget(attack)}."
        ]
    else:
        return ""
    said += [
        f"A further arm ({further.get('arm') or further.get('name')}) showed the same patches under {_budget(further)}."
        for further in source.get("further_attacks") or []
    ]
    arms, catch = p.get("arms") or [], (source.get("settings") or {}).get("catch")
    if "noise" in arms:
        said.append("A noise control showed them with their perturbation's own values shuffled over the pixels.")
    if "catch" in arms and catch:
        said.append(f"{catch} catch image{'s' * (catch != 1)} bore an alteration that anybody can see.")
    return " ".join(said)


def _budget(attack: dict[str, Any]) -> str:
    """The limit on an attack's perturbations, with its unit."""
    if attack.get("budget") is None:
        return "an unconstrained perturbation"
    norm = attack.get("norm") or ""
    if norm == "l0":
        return f"a perturbation of at most {100 * attack['budget']:g} % of the pixels (L0)"
    return f"a perturbation of at most {attack['budget']:g} in {named(norm)} (0-255 units)"


def _forced_choice(data: str) -> str:
    return (
        "The proportion of comparisons in which the altered image was named was tested against one half, reader by "
        "reader, by the exact sign-flip test over pairs (with every pair shown once, the exact binomial test), with "
        "Clopper-Pearson intervals at the effective number of comparisons; over readers the mean is given with an "
        f"interval that takes readers and patches as random. {data}"
    )


def _visibility(data: str) -> str:
    return (
        "Right answers against the size of the displayed change were fitted by one logistic psychometric function "
        "(guessing rate 1/2) with threshold, slope and lapse rate of each reader and a normally distributed effect of "
        "the patch on the logarithm of the threshold, by penalised marginal likelihood. The blind-spot index is the "
        "share of reader-patch combinations whose threshold lies above the smallest change that made the model err; "
        "the safety factor is the median of threshold over that change. Intervals take readers and patches as random. "
        f"Patches on which no such change was found count as never flipping. {data}"
    )


def _labelling(analysis: dict[str, Any], data: str) -> list[str]:
    primary = analysis["primary"]
    test = (
        "The difference of the true positive fractions, every answer counting and a patch's answers averaged over "
        f"sets, was given this interval: {primary['method']}. A difference was tested by this test: {primary['test']}. "
        f"The inference goes over these units: {primary['unit']}."
    )
    margin, level = primary["margin"], f"{100 * primary['level']:g} %"
    claim = "No margin was fixed in the protocol, so that neither equivalence nor non-inferiority was judged."
    if margin:
        claim = (
            f"Equivalence and non-inferiority were judged by the {level} interval against the margin of "
            f"{100 * margin:g} points fixed in the protocol (one-sided alpha {analysis['alpha']:g})."
        )
    assay = analysis.get("assay_sensitivity") or {}
    if assay.get("floor_tpf") is not None:
        claim += (
            " No verdict was to be given where readers found less than "
            f"{100 * assay['floor_tpf']:g} % of the tumours on original images."
        )
    secondary = (
        f"Each {reading_word(analysis)} alone was tested by the exact McNemar test; agreement is given as per cent "
        "agreement (Wilson interval), Gwet's AC1 and Cohen's kappa"
    )
    if analysis["response_time"]:
        secondary += f"; response times were compared by this method: {analysis['response_time']['method']}"
    secondary += "."
    if not primary["ci"]:
        return [f"{claim} {data} {secondary}", "No comparison could be made."]
    found = f"The change was {points(primary['delta'])} points ({level} interval {interval(primary['ci'])})."
    return [f"{test} {claim} {data} {secondary}", found]


@dataclass(frozen=True)
class Item:
    """One line of a checklist. ``answer`` is None where only the authors know."""

    list: str
    item: str
    answer: str | None


def checklist(protocol: dict[str, Any] | None, analysis: dict[str, Any]) -> list[Item]:
    """GRRAS (Kottner et al. 2011) and the items a multi-reader multi-case report is asked for, filled where known."""
    p, n, flow = protocol or {}, analysis["n"], analysis["flow"]
    source = p.get("source") or {}
    primary, readers = analysis["primary"], flow["readers"]
    dataset = source.get("dataset") or {}
    design = (
        f"{n['patches']} patches x {', '.join(analysis['arms'])} x {n['sets']} sets, "
        + ("each set shows a patch in one arm" if crossed_over(analysis) else "every reader reads all")
        if p
        else None
    )
    blinding = (
        f"Random order per reader and set, {_gap(p)}, arms free of "
        "any mark in address, name, length or header; arms opened only after closing, by name and logged"
        if p
        else None
    )
    crossed = analysis.get("crossed")
    effect = (
        f"TPF(perturbed) - TPF(original) = {points(primary['delta'])} points, {100 * primary['level']:g} % interval "
        f"{interval(primary['ci'])}; {primary['method']}"
        if primary["ci"]
        else None
    )
    intra, inter = analysis["intra_reader"], analysis["inter_reader"]
    agreement = (
        []
        if intra is None
        else [
            f"set against set, {arm}: AC1 {intra[arm]['ac1']:.2f}, "
            f"agreement {100 * intra[arm]['percent_agreement']:.0f} %"
            for arm in ("original", "perturbed")
            if intra.get(arm) and intra[arm]["ac1"] is not None
        ]
    )
    if inter and inter["ac1"] is not None:
        agreement.append(f"readers: AC1 {inter['ac1']:.2f}")
    subjects = f"{dataset['name']} ({dataset['kind']}), {n['patches']} patches" if dataset else None
    raters = f"{readers['started']} of {readers['invited']} invited; their training is for the authors"
    sampling = f"Patches drawn by seed {p['seed']}; readers by invitation" if p else None
    components = ", ".join(f"{k} {v:.2g}" for k, v in crossed["components"].items()) if crossed else None
    items = [
        ("GRRAS", "1 Title or abstract identifies the agreement studied", None),
        ("GRRAS", "2 What is measured", p.get("criterion")),
        ("GRRAS", "3 Subjects (patches)", subjects),
        ("GRRAS", "4 Raters", raters),
        ("GRRAS", "5 What is known already and the reason for the study", None),
        ("GRRAS", "6 How the sample size was chosen", None),
        ("GRRAS", "7 Sampling of patches and raters", sampling),
        ("GRRAS", "8 The measurement, time between readings, setting",
         f"{p['copies']} sets, wash-out {p['washout_hours']:g} h, {p['scale']} device pixels per patch pixel, "
         f"{p['surroundings']} surroundings" if p else None),
        ("GRRAS", "9 Independence and blinding of raters", blinding),
        ("GRRAS", "10 Statistical analysis", primary["method"]),
        ("GRRAS", "11 Actual numbers of raters, patches and readings",
         f"{n['readers']} readers, {n['patches']} patches, {flow['presentations']['analysed']} readings"),
        ("GRRAS", "12 Characteristics of raters and patches", None),
        ("GRRAS", "13 Estimates with their uncertainty", "; ".join(agreement) or None),
        ("GRRAS", "14 Practical relevance", None),
        ("GRRAS", "15 Detailed results available", "presentations.csv with its data dictionary"),
        ("MRMC", "Study design (crossing of readers, cases, modalities)", design),
        ("MRMC", "Reference standard", "; ".join(sorted({str(c["truth_source"]) for c in p.get("cases", [])})) or None),
        ("MRMC", "Endpoint and primary estimand fixed beforehand", p.get("primary_estimand")),
        ("MRMC", "Margin and alpha fixed beforehand",
         f"margin {100 * p['margin']:g} points, one-sided alpha {p['alpha_one_sided']}" if p.get("margin") else None),
        ("MRMC", "Readers and cases random or fixed",
         crossed["method"] if crossed else "One reader: the result speaks of this reader alone"),
        ("MRMC", "Effect with interval", effect),
        ("MRMC", "Variance components", components),
        ("MRMC", "Missing, excluded and amended readings",
         f"{flow['presentations']['unanswered_of_started']} missing, {flow['presentations']['flagged']} flagged, "
         f"{flow['presentations']['amended']} amended"),
        ("MRMC", "Reading order, blinding and wash-out", blinding),
        ("MRMC", "Software", f"blindspot {code_version()}"),
    ]  # fmt: skip
    return [Item(*item) for item in items]
