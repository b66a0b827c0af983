"""Table 1 in the forms people publish and paste: CSV, Markdown, LaTeX, and plain text for the terminal."""

from collections.abc import Iterator
from typing import Any, TypeGuard, TypeVar

from core.texts import signed

T = TypeVar("T")

TABLE_COLUMNS = ("source", "reader", "set", "reading", "original_tp", "original_n", "perturbed_tp", "perturbed_n",
                 "delta", "tango_low", "tango_high", "mcnemar_exact_p")  # fmt: skip


def table_1_rows(analysis: dict[str, Any]) -> list[dict[str, Any]]:
    """Table 1b as rows: this study's readers, its model, and the published rows, each named by its source.

    A set and a reading of a patch are one thing where every set shows all arms. Where arms cross over, a set's two
    counts are of different patches; the change stands in rows of their own, one per reading of the same patches.
    """
    tested = {(row["reader"], row["set"]): row for row in analysis["per_set"]}
    if crossed_over(analysis):
        rows = [{"source": "this study", **_counts(row)} for row in analysis["table_1b"]]
        rows += [{"source": "this study", **_pairs(row), **_test(row)} for row in analysis["per_set"]]
    else:
        rows = [
            {"source": "this study", **_counts(row), "reading": row["set"],
             **_test(tested.get((row["reader"], row["set"])))}
            for row in analysis["table_1b"]
        ]  # fmt: skip
    model = analysis.get("model") or {}
    if "original" in model and "perturbed" in model:
        rows.append({"source": "this study", **_counts({"reader": "model", "set": None, **model})})
    published = analysis["published"]
    rows += [{"source": f"published: {published['source']}", **_counts(row)} for row in published["table_1b"]]
    return rows


def _counts(row: dict[str, Any]) -> dict[str, Any]:
    original, perturbed = row["original"], row["perturbed"]
    return {
        "reader": row["reader"], "set": row["set"],
        "original_tp": original["tp"], "original_n": original["n"],
        "perturbed_tp": perturbed["tp"], "perturbed_n": perturbed["n"],
    }  # fmt: skip


def crossed_over(analysis: dict[str, Any]) -> bool:
    """Whether every set showed each patch in one arm, so that a set is no reading of all stimuli."""
    return (analysis.get("order") or {}).get("design") == "crossover"


def reading_word(analysis: dict[str, Any]) -> str:
    """What a reading of all stimuli is called."""
    return "reading" if crossed_over(analysis) else "set"


def _pairs(row: dict[str, Any]) -> dict[str, Any]:
    n = row["a"] + row["b"] + row["c"] + row["d"]
    return {
        "reader": row["reader"], "reading": row["set"],
        "original_tp": row["a"] + row["b"], "original_n": n, "perturbed_tp": row["a"] + row["c"], "perturbed_n": n,
    }  # fmt: skip


def _test(row: dict[str, Any] | None) -> dict[str, Any]:
    if row is None or row["delta"] is None:
        return {}
    low, high = row["tango_ci95"]
    return {"delta": row["delta"], "tango_low": low, "tango_high": high, "mcnemar_exact_p": row["mcnemar_exact_p"]}


def present(value: T | None) -> TypeGuard[T]:
    """Whether there is something to write: a value, or an interval both of whose ends exist.

    A template hands over an empty text for a value below one that is None.
    """
    if isinstance(value, (list, tuple)):
        return all(present(end) for end in value)
    return value is not None and value != ""


def p_value(p: float | None) -> str:
    """Three decimals, ``< 0.001`` below; a dash where there is none."""
    if not present(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def points(value: float | None) -> str:
    """A difference in percentage points with its sign, which a difference of nothing has not."""
    return signed(100 * value, 1) if present(value) else "–"


def percent(value: float | None) -> str:
    return f"{100 * value:.0f} %" if present(value) else "–"


def percents(pair: list[float] | None) -> str:
    return f"{100 * pair[0]:.0f} to {100 * pair[1]:.0f} %" if present(pair) else "–"


def interval(pair: list[float] | None) -> str:
    return f"{points(pair[0])} to {points(pair[1])}" if present(pair) else "–"


HEADINGS = (
    "Source",
    "Reader",
    "Set",
    "Original TP",
    "Perturbed TP",
    "Change (points)",
    "95 % interval",
    "Exact McNemar p",
)


def _which(row: dict[str, Any]) -> str:
    if row.get("set") is not None:
        return str(row["set"])
    return "–" if row.get("reading") is None else f"reading {row['reading']}"


def _cells(row: dict[str, Any]) -> list[str]:
    pair = None if row.get("delta") is None else [row["tango_low"], row["tango_high"]]
    return [
        row["source"],
        str(row["reader"]),
        _which(row),
        f"{row['original_tp']} of {row['original_n']}",
        f"{row['perturbed_tp']} of {row['perturbed_n']}",
        points(row.get("delta")),
        interval(pair),
        p_value(row.get("mcnemar_exact_p")),
    ]


def table_1a(analysis: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Table 1a: (quantity, this study, published); a dash where no cross-validation was run."""
    own = (analysis.get("model") or {}).get("table_1a") or {}
    theirs = analysis["published"]["table_1a"]
    return [
        (title, _mean_sd(own.get(name)), _mean_sd(theirs.get(name)))
        for title, name in (("Accuracy", "accuracy"), ("AUC", "auc"))
    ]


def _mean_sd(value: dict[str, float] | None) -> str:
    if not value:
        return "–"
    if value.get("sd") is None:
        return f"{value['mean']:.3f}"
    return f"{value['mean']:.3f} ± {value['sd']:.3f}"


def markdown(analysis: dict[str, Any]) -> Iterator[str]:
    """Tables 1a and 1b for a README or an issue."""
    source = analysis["published"]["source"]
    yield "**Table 1a. The model, mean ± SD over runs and folds**\n\n"
    yield f"| | This study | Published ({source}) |\n|---|---|---|\n"
    for title, own, theirs in table_1a(analysis):
        yield f"| {title} | {own} | {theirs} |\n"
    yield "\n**Table 1b. True positives on original and perturbed patches**\n\n"
    yield "| " + " | ".join(HEADINGS) + " |\n" + "|---" * len(HEADINGS) + "|\n"
    for row in table_1_rows(analysis):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in _cells(row)) + " |\n"
    yield f"\n{analysis['primary']['statement']}\n"


_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "–": "--",
    "<": r"$<$",
}


def tex(text: str) -> str:
    """``text`` as LaTeX shows it."""
    return "".join(_TEX.get(character, character) for character in text)


def latex(analysis: dict[str, Any]) -> Iterator[str]:
    """Tables 1a and 1b; needs the booktabs package."""
    source = tex(analysis["published"]["source"])
    yield "% needs \\usepackage{booktabs}\n\\begin{table}\n  \\caption{The model, mean $\\pm$ SD over runs and folds}\n"
    yield f"  \\begin{{tabular}}{{lll}}\n    \\toprule\n    & This study & Published ({source}) \\\\\n    \\midrule\n"
    for row in table_1a(analysis):
        yield "    " + " & ".join(map(tex, row)) + " \\\\\n"
    yield "    \\bottomrule\n  \\end{tabular}\n\\end{table}\n\n"
    yield (
        "\\begin{table}\n  \\caption{True positives on original and perturbed patches. "
        + tex(analysis["primary"]["statement"])
        + "}\n"
    )
    yield (
        "  \\begin{tabular}{lllrrrll}\n    \\toprule\n    " + " & ".join(map(tex, HEADINGS)) + " \\\\\n    \\midrule\n"
    )
    for own in table_1_rows(analysis):
        yield "    " + " & ".join(map(tex, _cells(own))) + " \\\\\n"
    yield "    \\bottomrule\n  \\end{tabular}\n\\end{table}\n"


def as_text(analysis: dict[str, Any]) -> str:
    """What `analyse` prints without --json."""
    n = analysis["n"]
    kinds = f" ({n['positives']} with and {n['negatives']} without tumour)" if n["positives"] + n["negatives"] else ""
    lines = [
        f"{n['patches']} patches{kinds}, {n['readers']} readers, {n['sets']} sets, {n['presentations']} presentations",
        "",
    ]
    body = [list(HEADINGS), *(_cells(row) for row in table_1_rows(analysis))]
    widths = [max(len(row[i]) for row in body) for i in range(len(HEADINGS))]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in body]
    if groups := analysis.get("groups"):
        lines += ["", f"Slides or patients: {groups['tumour']} with tumour, {groups['no_tumour']} without"]
    lines += ["", analysis["primary"]["statement"] or "No comparison could be made."]
    if analysis["primary"]["verdict"]:
        lines.append(f"Verdict: {analysis['primary']['verdict']} ({analysis['primary']['method']})")
    if analysis["primary"].get("unit"):
        lines.append(f"Unit: {analysis['primary']['unit']}")
    order, tipping = analysis["order"], analysis["sensitivity"]["tipping_point"]
    lines += [part["statement"] for part in (order, tipping) if part]
    for arm, found in {**analysis["controls"], **analysis["against_noise"]}.items():
        lines.append(f"Arm {arm}: {found['primary']['statement'] or 'No comparison could be made.'}")
    if analysis["warnings"]:
        lines += ["", "Mind:", *(f"- {warning}" for warning in analysis["warnings"])]
    return "\n".join(lines)
