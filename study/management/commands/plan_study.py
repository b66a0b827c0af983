"""What a study could show: power, smallest numbers of patches, and what the paper's own design could have shown."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from core.commands import JsonCommand
from core.errors import InvalidInput
from study.design.crossed import Components
from study.design.planning import Assumptions, plan
from study.design.sight_planning import ADAPTIVE, FIXED, BiasAssumptions, LadderAssumptions, plan_bias, plan_ladder

HELP = {
    "patches": "positive patches",
    "readers": "readers",
    "sets": "readings of every stimulus",
    "groups": "slides or patients that the patches come from (else every patch from one of its own)",
    "icc": "intra-group correlation: share of the patches' spread that lies between slides",
    "tpf": "true positive fraction on originals",
    "difference": "true change to be found, such as -0.10",
    "margin": "margin of non-inferiority and equivalence, such as 0.10",
    "alpha": "one-sided level",
    "discordance": "for one reading: share of patches answered differently in the two arms (else from the spreads)",
    "largest": "largest number of patches of curves and search",
    "studies": "simulated studies",
    "seed": "seed of the simulation",
    "design": "ladder: every level equally often, or each next one by a rule",
    "levels": "ladder: how many levels",
    "trials": "adaptive ladder: pairs of each reader",
    "times": "ladder: threshold / smallest flip",
    "spread_readers": "ladder: standard deviation of readers' log thresholds",
    "spread_patches": "ladder: standard deviation of log thresholds between patches",
    "spread_flips": "ladder: standard deviation of log flips",
    "lapse": "ladder: share of slips",
    "pairs": "bias: pairs of twins",
    "share": "bias to be found: how often the twin toward tumour is chosen",
    "preference_sd": "bias: standard deviation of readers' own preferences within a pair (logit)",
}
TASKS: dict[str, tuple[Any, Callable[[Any], dict[str, Any]]]] = {
    "ladder": (LadderAssumptions, plan_ladder),
    "bias": (BiasAssumptions, plan_bias),
}
DEFAULTS: dict[str, dict[str, Any]] = {
    task: {field.name: getattr(made(), field.name) for field in fields(made)}
    for task, made in [("labelling", Assumptions), *((task, made) for task, (made, _) in TASKS.items())]
}
ROWS = {
    "mcnemar_exact": "find the change, exact McNemar",
    "mcnemar_midp": "find the change, mid-p McNemar",
    "different": "find the change",
    "non_inferior": "claim non-inferiority, if nothing changed",
    "equivalent": "claim equivalence, if nothing changed",
}


class Command(JsonCommand):
    help = (
        f"{__doc__} Tasks: labelling (original against perturbed), ladder (where is the change seen?) and bias (does "
        "it look more like tumour?). Options of another task than the chosen one are refused."
    )

    def add_arguments(self, parser):
        parser.add_argument("--task", choices=["labelling", *TASKS], default="labelling", help="what is planned")
        for name, text in HELP.items():
            defaults = {task: settings[name] for task, settings in DEFAULTS.items() if name in settings}
            kind = {"groups": int, "discordance": float}.get(name) or type(next(iter(defaults.values())))
            choices = {"choices": [FIXED, ADAPTIVE]} if name == "design" else {}
            parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help=f"{text}{_unless(defaults)}", **choices)
        for field in fields(Components):
            parser.add_argument(
                f"--sd-{field.name.replace('_', '-')}",
                type=float,
                help=f"labelling: standard deviation on the probit scale: {field.name.replace('_', ' x ')} "
                f"({field.default:g} unless told)",
            )

    def run(self, *, task: str, **options: Any) -> dict[str, Any]:
        given = {name: options[name] for name in HELP if options[name] is not None}
        spreads = {field.name: options[f"sd_{field.name}"] for field in fields(Components)}
        told = {name: value for name, value in spreads.items() if value is not None}
        wrong = [name for name in given if name not in DEFAULTS[task]]
        wrong += [f"sd_{name}" for name in told if task != "labelling"]
        if wrong:
            raise InvalidInput(f"--{wrong[0].replace('_', '-')} is no setting of the task {task}.", field=wrong[0])
        if task in TASKS:
            made, work = TASKS[task]
            return work(made(**given))
        return plan(Assumptions(**given, components=Components(**told)))

    def as_text(self, result: dict[str, Any]) -> str:
        return {"ladder": _ladder, "bias": _bias}.get(result.get("task", ""), _labelling)(result)


def _unless(defaults: dict[str, Any]) -> str:
    """The default of each task that has the setting."""
    said = [f"{task}: {value}" for task, value in defaults.items() if value is not None]
    return f" ({'; '.join(said)}, unless told)" if said else f" ({', '.join(defaults)})"


def _ladder(result: dict[str, Any]) -> str:
    a, expected, truth = result["assumptions"], result["expected"], result["truth"]
    lines = [
        f"{a['readers']} readers x {a['patches']} patches, {a['design']} ladder, {result['pairs_per_reader']} pairs "
        f"each ({expected['studies']} simulated studies, medians; 95 % intervals over readers and patches)",
        f"  blind-spot index {truth['index']:.0%} would be told as {_index(expected)}",
        f"  threshold        {_times(expected)}",
        "",
        f"  {'readers':>9}{'patches':>9}{'pairs each':>12}   interval of the index    threshold",
    ]
    for row in [*result["by_readers"], *(row for row in result["by_patches"] if row is not expected)]:
        shape = f"  {row['readers']:>9}{row['patches']:>9}{row['pairs_per_reader']:>12}"
        lines.append(f"{shape}   {_index(row):<25}{_times(row)}")
    return "\n".join([*lines, *(f"Note: {warning}" for warning in result["warnings"])])


def _index(row: dict[str, Any]) -> str:
    found = row["index"]
    return f"{found['low']:.0%} to {found['high']:.0%} ({100 * found['width']:.0f} points)" if found else "no interval"


def _times(row: dict[str, Any]) -> str:
    return f"within a factor of {row['threshold']['times']:.2f}" if row["threshold"] else "no interval"


def _bias(result: dict[str, Any]) -> str:
    a = result["assumptions"]
    lines = [
        f"{a['readers']} reader(s) x {a['pairs']} pairs x {a['sets']} set(s), preferences SD {a['preference_sd']:g} "
        f"({a['studies']} simulated studies)",
        f"  power to find a bias of {a['share']:.0%}          {result['power']:.2f} "
        f"+- {result['monte_carlo_error']:.3f}",
        f"  found by mistake where there is none   {result['false']:.3f}",
    ]
    for target, pairs in result["pairs_needed"].items():
        needed = f"over {result['largest_tried']}" if pairs is None else str(pairs)
        lines.append(f"  pairs for a power of {float(target):.0%}              {needed}")
    return "\n".join([*lines, *(f"Note: {warning}" for warning in result["warnings"])])


def _labelling(result: dict[str, Any]) -> str:
    paper, a, reading, crossed = (result[key] for key in ("paper", "assumptions", "one_reading", "crossed"))
    low, high = paper["smallest_claimable_margin"]["ci90"]
    wide_low, wide_high = paper["smallest_claimable_margin"]["ci95"]
    drop = paper["power_of_a_drop"]
    quiet = paper["one_reading_without_discordance"]
    lines = [
        f"What the paper's own design could have shown ({paper['source']}, one reader, {paper['patches']} patches, "
        f"{paper['sets']} sets)",
        f"  joint patterns with its margins        {paper['joint_patterns']}",
        f"  exact McNemar p over all of them       {_span(paper['mcnemar_exact_p']['pooled'], '{:.3g}')}",
        f"  smallest equivalence margin            {_points(low)} to {_points(high)} points (90 %); "
        f"{_points(wide_low)} to {_points(wide_high)} (95 %)",
        f"  one reading without any discordance    +-{_points(quiet['ci90'])} points (90 %), "
        f"+-{_points(quiet['ci95'])} (95 %)",
        f"  power to see a drop of 10 points       {drop['power']:.2f} (from {drop['tpf']:g}, simulated)",
        "",
        f"One reading of {a['patches']} patches (exact)",
        *_table(reading["power"], reading["smallest_n"]),
        f"  claimed wrongly if the truth is at the margin: {reading['false_claim_at_margin']:.3f}",
        "",
        f"{a['readers']} reader(s) x {a['patches']} patches x {a['sets']} set(s) ({crossed['studies']} simulated "
        f"studies; {crossed['method']})",
        *_table(crossed["power"], crossed["smallest_patches"], crossed["largest_tried"]),
        f"  claimed wrongly if the truth is at the margin: {crossed['false_claim_at_margin']:.3f}",
    ]
    return "\n".join([*lines, *(f"Note: {warning}" for warning in result["warnings"])])


def _points(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


def _span(values: list[float], form: str) -> str:
    low, high = (form.format(value) for value in values)
    return low if low == high else f"{low} to {high}"


def _table(power: dict[str, float], smallest: dict[str, dict[str, int | None]], tried: int = 2000) -> list[str]:
    lines = [f"  {'':<44}{'power':>7}{'80 %':>12}{'90 %':>12}  patches needed"]
    for name, value in power.items():
        needed = [f"over {tried}" if n is None else str(n) for n in smallest[name].values()]
        lines.append(f"  {ROWS[name]:<44}{value:>7.2f}{needed[0]:>12}{needed[1]:>12}")
    return lines
