"""What a study could show: power, smallest numbers of patches, and what the paper's own design could have shown."""

from dataclasses import fields
from typing import Any

from core.commands import JsonCommand
from study.design.crossed import Components
from study.design.planning import Assumptions, plan

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
}
ROWS = {
    "mcnemar_exact": "find the change, exact McNemar",
    "mcnemar_midp": "find the change, mid-p McNemar",
    "different": "find the change",
    "non_inferior": "claim non-inferiority, if nothing changed",
    "equivalent": "claim equivalence, if nothing changed",
}


class Command(JsonCommand):
    help = __doc__

    def add_arguments(self, parser):
        for name, text in HELP.items():
            default = getattr(Assumptions(), name)
            kind = {"groups": int, "discordance": float}.get(name, type(default))
            shown = "" if default is None else f" ({default:g} unless told)"
            parser.add_argument(f"--{name}", type=kind, default=default, help=text + shown)
        for field in fields(Components):
            parser.add_argument(
                f"--sd-{field.name.replace('_', '-')}",
                type=float,
                default=field.default,
                help=f"standard deviation on the probit scale: {field.name.replace('_', ' x ')} ({field.default:g})",
            )

    def run(self, **options: Any) -> dict[str, Any]:
        components = Components(**{field.name: options[f"sd_{field.name}"] for field in fields(Components)})
        return plan(Assumptions(**{name: options[name] for name in HELP}, components=components))

    def as_text(self, result: dict[str, Any]) -> str:
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
