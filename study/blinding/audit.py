"""The audit: a verdict on each channel, and the report as a table."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.errors import Progress, no_progress
from study.blinding import guess
from study.blinding.channels import CHANNELS, Channel, common_prefix, features, pair_features
from study.blinding.predict import Prediction, predict
from study.blinding.redraw import Drawn
from study.blinding.seen import Seen

THRESHOLD = 0.002
"""A channel leaks at p <= this. Four channels promise nothing and are tested twice each: about 1.5 % false alarms."""
MOST_PAIRS = 3000
CLEAR = "clear"
LEAK = "LEAK"


@dataclass(frozen=True, slots=True)
class Row:
    """One channel's result. ``values``: number of different values; ``constant``: as promised, None without promise."""

    channel: str
    values: int
    constant: bool | None
    arm: Prediction
    twins: Prediction
    verdict: str
    example: str = ""


def _labels(drawn: Drawn) -> np.ndarray:
    """One target per arm (one of two is enough) and per further label of pairs, (targets, n, 1 + B)."""
    arms = sorted(set(drawn.arm[:, 0]))
    targets = [drawn.arm == arm for arm in (arms[:1] if len(arms) <= 2 else arms)]
    return np.stack([*targets, *drawn.further.values()])


def _pairs(seen: Sequence[Seen], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of presentations of the same reader; a random sample of them where there are many."""
    readers = np.unique([presentation.reader for presentation in seen], return_inverse=True)[1]
    first, second = np.triu_indices(len(seen), k=1)
    same = readers[first] == readers[second]
    first, second = first[same], second[same]
    if len(first) > MOST_PAIRS:
        sample = np.random.default_rng(seed).choice(len(first), MOST_PAIRS, replace=False)
        first, second = first[sample], second[sample]
    return first, second


def examine(
    channel: Channel, seen: Sequence[Seen], drawn: Drawn, pairs: tuple[np.ndarray, np.ndarray], seed: int
) -> Row:
    """What one channel gives away."""
    values = [repr(channel.value(presentation)) for presentation in seen]
    different = sorted(set(values))
    nothing = Prediction(0.5, 0.5, 0.5, 1.0)
    # Pages of different readers or sets may differ; within a set they must not.
    within = {(presentation.reader, presentation.set, value) for presentation, value in zip(seen, values)}
    if len(within) == len({(presentation.reader, presentation.set) for presentation in seen}):
        return Row(channel.name, len(different), True if channel.constant else None, nothing, nothing, CLEAR)
    x = features(channel, seen)
    arm = predict(x, _labels(drawn), np.arange(len(seen))[:, None], seed=seed)
    first, second = pairs
    twins = nothing
    if len(first):
        same = (drawn.patch[first] == drawn.patch[second])[None]
        both = pair_features(channel, seen, x, first, second)
        twins = predict(both, same, np.column_stack([first, second]), seed=seed)
    leak = channel.constant or min(arm.p, twins.p) <= THRESHOLD
    if channel.name == "address":
        leak = leak or len(different) < len(values)  # two presentations under one name
    example = _difference(different[0], different[1]) if channel.constant else ""
    constant = False if channel.constant else None
    return Row(channel.name, len(different), constant, arm, twins, LEAK if leak else CLEAR, example)


def _difference(a: str, b: str, around: int = 60) -> str:
    """The place where two values begin to differ, with ``around`` letters on either side."""
    at = common_prefix(a, b)
    return " | ".join(value[max(0, at - around) : at + around] for value in (a, b))


def unreachable(seen: Sequence[Seen]) -> bool:
    """Whether every probe (guessed, replayed, ahead, another reader's token) got an empty 404."""
    probes = [probe for presentation in seen for probe in presentation.probes]
    return all(probe.status == 404 and not probe.body for probe in probes)


def examine_guesses(guessed: guess.Guessed, drawn: Drawn) -> Row:
    """Whether a schedule follows from what can be tried. Instead of an AUC stands the share that is right."""
    arm, patch, said = guess.try_guesses(guessed, drawn)
    verdict = LEAK if min(arm.p, patch.p) <= THRESHOLD else CLEAR
    return Row(guess.CHANNEL, len(guessed.names), None, arm, patch, verdict, said)


def audit(
    seen: Sequence[Seen],
    drawn: Drawn,
    guessed: guess.Guessed | None = None,
    *,
    seed: int = 0,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """The report: a row per channel, and ``passed``. ``guessed`` labels the first presentations, of one reader."""
    pairs = _pairs(seen, seed)
    rows = []
    for number, channel in enumerate(CHANNELS, start=1):
        row = examine(channel, seen, drawn, pairs, seed)
        if channel.name == "reach" and not unreachable(seen):
            row = Row(row.channel, row.values, False, row.arm, row.twins, LEAK, "a probe was not answered by 404")
        rows.append(row)
        progress(number, len(CHANNELS))
    if guessed is not None:
        first = Drawn(drawn.arm[: len(guessed.arm)], drawn.patch[: len(guessed.patch)])
        rows.append(examine_guesses(guessed, first))
    return {
        "passed": all(row.verdict == CLEAR for row in rows),
        "presentations": len(seen),
        "readers": len({presentation.reader for presentation in seen}),
        "exchanges": sum(len(presentation.exchanges) for presentation in seen),
        "probes": sum(len(presentation.probes) for presentation in seen),
        "redraws": drawn.arm.shape[1] - 1,
        "threshold_p": THRESHOLD,
        "channels": [asdict(row) for row in rows],
    }


def as_text(report: dict[str, Any]) -> str:
    """The report as a table: channel, number of values, AUC with interval and p for arm and twins, verdict."""
    head = ("channel", "values", "promise", "AUC arm [95 %]", "p", "AUC twins [95 %]", "p", "verdict")
    lines = [head]
    for row in report["channels"]:
        promise = {True: "constant", False: "BROKEN", None: "-"}[row["constant"]]
        cells = [row["channel"], str(row["values"]), promise]
        for target in ("arm", "twins"):
            predicted = row[target]
            interval = f"[{predicted['low']:.2f}, {predicted['high']:.2f}]"
            cells += [f"{predicted['auc']:.2f} {interval}", f"{predicted['p']:.4f}"]
        lines.append((*cells, row["verdict"]))
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    examples = [f"{row['channel']}: {row['example']}" for row in report["channels"] if row["example"]]
    counts = (
        f"{report['presentations']} presentations of {report['readers']} reader(s), {report['exchanges']} exchanges, "
        f"{report['probes']} probes, {report['redraws']} redrawn schedules; a leak is p <= {report['threshold_p']} "
        "or a broken promise"
    )
    verdict = "passed: nothing but the pixels tells the arm or the twins" if report["passed"] else "NOT BLIND"
    return "\n".join([counts, "", *table, *([""] if examples else []), *examples, "", verdict])
