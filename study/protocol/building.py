"""Building a study: draw cases, write their stimuli, choose patches for the instructions."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from attacks.engine.controls import visible_catch
from attacks.engine.perceptual import measures_of
from attacks.models import Attack, PairSet
from core.errors import InvalidInput, Progress, no_progress
from core.images import encode_png, sha256_of
from core.models import User
from core.version import code_version
from study.design.draws import derived_seed
from study.design.sampling import draw_cases
from study.models import Case, GuideImage, Stimulus, Study, new_token
from study.protocol import audit_log
from study.protocol.case_sources import CaseSource, Outside, Shown, source_of
from study.protocol.chosen import StudySettings
from study.protocol.controls import Controls
from study.protocol.decided import catch_positives, decided, group_counts, group_notes, usual_gap
from study.protocol.drafts import emptied, reseed_readers
from study.protocol.ladders import Ladders, identical_pairs
from study.protocol.life import Judge, assign_reader, free_slug, freeze_looked, look_again, open_study
from study.protocol.schedules import Plan, check_gap

__all__ = ["StudySettings", "build_study"]
_NO_PIXELS = np.zeros((0, 0, 3), np.uint8)


def build_study(
    *,
    name: str,
    attack: Attack | None = None,
    further_attacks: Sequence[Attack] = (),
    pairs: PairSet | None = None,
    variants: Sequence[str] = (),
    seed: int,
    actor: str,
    settings: StudySettings,
    readers: Sequence[User] = (),
    freeze: bool = True,
    open_: bool = True,
    judge: Judge | None = None,
    created_by: User | None = None,
    team: Group | None = None,
    slug: str = "",
    notes: Sequence[str] = (),
    secret: str | None = None,
    draft: Study | None = None,
    progress: Progress = no_progress,
) -> Study:
    """Draw cases by ``seed``, write their stimuli, assign readers, freeze and open.

    The cases come from the flipped patches of ``attack``, with one more arm for each of ``further_attacks``; or from
    ``pairs`` that another program made, with an arm for each of ``variants``. If any step fails, the transaction is
    rolled back and the written files are removed. ``judge`` and ``secret`` are those of ``freeze_study``.

    Args:
        notes: sentences to be shown wherever the study is.
        draft: build this draft again, in place of what it was built with; its readers and its address stay.

    Raises:
        InvalidInput: a setting out of range, a taken name, too few patches, an infeasible minimum gap.
    """
    settings.check()
    slug = draft.slug if draft else free_slug(slug or name)
    source = source_of(attack=attack, further_attacks=further_attacks, pairs=pairs, variants=variants)
    pool = source.pool()
    settings, said = decided(settings, source=source, pool=pool)
    written: list[str] = []
    try:
        plan = _write_images(source, pool, seed, settings, progress, written)
        plan.notes = [*notes, *said]
        plan.source = source.snapshot(pool)
        # Before the transaction as well: while the network judges, nobody waits for the database.
        looked = look_again(slug, plan.source, plan.cases, judge=judge) if freeze else None
        with transaction.atomic():
            row = emptied(draft) if draft else Study(slug=slug, created_by=created_by)
            study = _store_rows(row, name, seed, settings, team, plan)
            audit_log.record(
                study=study,
                actor=actor,
                action="rebuilt" if draft else "built",
                cases=len(plan.cases),
                attack=study.source["attack"]["name"],
                pool=len(plan.pool),
            )
            reseed_readers(study)
            there = set(study.assignments.values_list("reader", flat=True))
            for reader in (one for one in readers if one.pk not in there):
                assign_reader(study=study, reader=reader, actor=actor)
            if looked:
                study = freeze_looked(study=study, actor=actor, looked=looked, secret=secret)
                if open_:
                    study = open_study(study=study, actor=actor)
            return study
    except BaseException:
        for file in written:
            default_storage.delete(file)
        raise


@dataclass
class _Plan:
    """Rows that are not saved yet: each case with its stimuli, and the images of the instructions."""

    pool: pd.DataFrame
    groups: dict[str, dict[str, int]]
    source: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    cases: list[tuple[Case, list[Stimulus]]] = field(default_factory=list)
    guides: list[GuideImage] = field(default_factory=list)
    ladders: dict[str, Any] = field(default_factory=dict)
    identical: int = 0


def _write_images(
    source: CaseSource,
    pool: pd.DataFrame,
    seed: int,
    settings: StudySettings,
    progress: Progress,
    written: list[str],
) -> _Plan:
    """Draw cases and write every image. Done before the transaction, whose lock readers of other studies wait for."""
    drawn = draw_cases(
        pool,
        n_positive=settings.positives,
        n_negative=settings.negatives or 0,
        seed=seed,
        stratify=settings.stratify or "random",
    )
    plan = _Plan(pool, group_counts(drawn))
    controls = Controls(settings=settings, seed=seed, classifier=source.classifier())
    folder = secrets.token_hex(16)
    ladders = _ladders(source, drawn, seed, settings, controls, plan)
    for number, (_, row) in enumerate(drawn.iterrows(), start=1):
        arms = source.arms(int(row["key"]))
        if ladders:
            arms, flips = ladders.of(number, arms, bool(row["truth"]), row["patch_id"])
        elif settings.task == Study.Task.BIAS:
            arms, flips = controls.twins(arms, row["patch_id"]), {}
        else:
            arms, flips = [*arms, *controls.of(number, arms)], {}
        cells = row["tumour_cells"]
        case = Case(
            number=number,
            patch_id=row["patch_id"],
            group=row["group"],
            truth=bool(row["truth"]),
            truth_source=source.truth_source,
            tumour_cells=None if cells is None or np.isnan(float(cells)) else int(cells),
            flips=flips,
        )
        stimuli = [_stimulus(shown, arms[0].pixels, folder, written) for shown in arms]
        plan.cases.append((case, stimuli))
        progress(number, len(drawn) + 1)
    if settings.arm_order == Study.ArmOrder.TWIN_SPLIT:
        plan.cases += _catch_cases(source, seed, settings, controls, plan.cases, folder, written)
    plan.guides = _guides(source, seed, settings, plan.cases, folder, written)
    progress(len(drawn) + 1, len(drawn) + 1)
    return plan


def _ladders(
    source: CaseSource, drawn: pd.DataFrame, seed: int, settings: StudySettings, controls: Controls, plan: _Plan
) -> Ladders | None:
    """The ladders of the drawn cases, also written down in ``plan``; None where the study has none."""
    if settings.ladder == Study.Ladder.NONE:
        return None
    cases = [[replace(shown, pixels=_NO_PIXELS) for shown in source.arms(int(key))] for key in drawn["key"]]
    ladders = Ladders.planned(cases, settings, seed, controls.answer)
    plan.ladders = ladders.to_json()
    plan.identical = identical_pairs(settings, len(drawn), len(ladders.made))
    return ladders


def _catch_cases(
    source: CaseSource,
    seed: int,
    settings: StudySettings,
    controls: Controls,
    cases: list[tuple[Case, list[Stimulus]]],
    folder: str,
    written: list[str],
) -> list[tuple[Case, list[Stimulus]]]:
    """Further patches that are shown as catch images alone, tumour among them as often as among the cases."""
    outside = _Outside(source, cases, derived_seed(seed, 1_000_007))
    made = []
    for number in range(settings.catch):
        patch = outside.take(number < catch_positives(settings))
        if patch is None:
            raise InvalidInput("the data set has changed meanwhile; build the study again.", field="catch")
        case = Case(
            number=len(cases) + number + 1,
            patch_id=patch.patch_id,
            group=patch.group,
            truth=patch.truth,
            truth_source=source.truth_source,
        )
        original = source.pixels_outside(patch.key)
        shown = controls.catch(case.number, original)
        made.append((case, [_stimulus(shown, original, folder, written)]))
    return made


class _Outside:
    """Patches that are not in the study, from other groups as long as there are enough; each is taken once."""

    def __init__(self, source: CaseSource, cases: list[tuple[Case, list[Stimulus]]], seed: int) -> None:
        chosen = {case.patch_id for case, _ in cases}
        groups = {case.group for case, _ in cases} - {""}
        self.left = [patch for patch in source.outside() if patch.patch_id not in chosen]
        self.groups = groups
        self.rng = np.random.default_rng(seed)

    def take(self, truth: bool) -> Outside | None:
        """A patch of this truth, at random; None where there is none left."""
        fitting = [patch for patch in self.left if patch.truth == truth]
        apart = [patch for patch in fitting if patch.group not in self.groups]
        candidates = apart or fitting
        if not candidates:
            return None
        patch = candidates[int(self.rng.integers(len(candidates)))]
        self.left.remove(patch)
        return patch


def _stimulus(shown: Shown, original: np.ndarray, folder: str, written: list[str]) -> Stimulus:
    """One arm of a case whose original has these pixels."""
    name, digest = _store(f"stimuli/{folder}", shown.pixels, written)
    probability = shown.probability
    return Stimulus(
        arm=shown.arm,
        image=name,
        sha256=digest,
        model_prob=probability,
        model_label=None if probability is None else probability >= 0.5,
        **shown.provenance,
        **measures_of(original, shown.pixels),
    )


def _store_rows(
    study: Study,
    name: str,
    seed: int,
    settings: StudySettings,
    team: Group | None,
    plan: _Plan,
) -> Study:
    study = _saved(
        study,
        name=name,
        task=settings.task,
        pair_display=settings.pair_display,
        exposure_ms=settings.exposure_ms,
        ladder=settings.ladder,
        trials=settings.trials,
        identical=plan.identical,
        ladders=plan.ladders,
        seed=seed,
        copies=settings.copies,
        arm_order=settings.arm_order or Study.ArmOrder.PAPER,
        min_gap=settings.min_gap or 1,
        washout_hours=settings.washout_hours,
        questions=list(settings.questions),
        criterion=settings.criterion,
        tell_altered=settings.tell_altered,
        contact=settings.contact,
        consent_text=settings.consent_text,
        surroundings=settings.surroundings,
        scale=settings.scale,
        size_mm=settings.size_mm,
        microns_per_pixel=settings.microns_per_pixel,
        break_every=settings.break_every,
        practice_count=sum(guide.kind == GuideImage.Kind.PRACTICE for guide in plan.guides),
        margin=settings.margin,
        margin_rationale=settings.margin_rationale,
        alpha=settings.alpha,
        floor_tpf=settings.floor_tpf,
        floor_d_prime=settings.floor_d_prime,
        stopping_rule=settings.stopping_rule,
        source=plan.source
        | {"settings": settings.as_dict(), "groups": plan.groups, "notes": plan.notes + group_notes(plan.groups)},
        code_version=code_version(),
        team=team,
    )
    for case, _ in plan.cases:
        case.study = study
    Case.objects.bulk_create([case for case, _ in plan.cases], batch_size=500)
    for case, stimuli in plan.cases:
        for stimulus in stimuli:
            stimulus.case = case
    Stimulus.objects.bulk_create([stimulus for _, stimuli in plan.cases for stimulus in stimuli], batch_size=500)
    for guide in plan.guides:
        guide.study = study
    GuideImage.objects.bulk_create(plan.guides)
    if settings.min_gap is None:
        study.min_gap = study.source["settings"]["min_gap"] = usual_gap(Plan.of(study).largest_gap)
        study.save(update_fields=["min_gap", "source"])
    check_gap(study)
    return study


def _saved(study: Study, **columns: Any) -> Study:
    for column, value in columns.items():
        setattr(study, column, value)
    study.save()
    return study


def _store(folder: str, pixels: np.ndarray, written: list[str]) -> tuple[str, str]:
    """Write displayed pixels as PNG under a random name; returns the name and the SHA-256."""
    png = encode_png(pixels)
    name = default_storage.save(f"{folder}/{secrets.token_hex(16)}.png", ContentFile(png))
    written.append(name)
    return name, sha256_of(png)


def _guides(
    source: CaseSource,
    seed: int,
    settings: StudySettings,
    cases: list[tuple[Case, list[Stimulus]]],
    folder: str,
    written: list[str],
) -> list[GuideImage]:
    """Example and practice patches that are not in the study, from other groups as long as there are enough."""
    outside = _Outside(source, cases, derived_seed(seed, 1_000_001))
    guides = []
    for kind, count in ((GuideImage.Kind.EXAMPLE, settings.examples), (GuideImage.Kind.PRACTICE, settings.practice)):
        truths = outside.rng.permutation(np.arange(count) % 2 == 0)
        for number, truth in enumerate(truths, start=1):
            patch = outside.take(bool(truth))
            if patch is None:
                continue
            pixels = source.pixels_outside(patch.key)
            guides.append(_guide(kind, number, patch, pixels, folder, written))
            if kind == GuideImage.Kind.PRACTICE and settings.task == Study.Task.PAIR:
                # Plain to see: a practice shows how the task goes, and must not train eyes on the study's own changes.
                altered = visible_catch(pixels, seed=derived_seed(seed, 1_000_011, number))
                guides.append(_guide(GuideImage.Kind.ALTERED, number, patch, altered, folder, written))
    return guides


def _guide(
    kind: GuideImage.Kind, number: int, patch: Outside, pixels: np.ndarray, folder: str, written: list[str]
) -> GuideImage:
    name, digest = _store(f"guides/{folder}", pixels, written)
    return GuideImage(
        kind=kind,
        number=number,
        patch_id=patch.patch_id,
        token=new_token(),
        image=name,
        sha256=digest,
        truth=patch.truth,
    )
