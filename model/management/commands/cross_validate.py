"""cross_validate DATASET --runs 5 --folds 3: Table 1a."""

from typing import Any

from core import published
from core.commands import RequestCommand
from core.errors import InvalidInput
from model import figures
from model.crossval_services import cross_validate
from model.evaluation_selectors import table_1a
from model.requests import CrossValidationRequest


class Command(RequestCommand):
    help = "Table 1a by stratified (grouped, where slides are known) cross-validation; resumes where it was killed."

    request = CrossValidationRequest

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument(
            "--part", metavar="I/N", help="do only every N-th fold from the I-th (0/2 and 1/2 share it)"
        )

    def run(self, *, part: str | None, **options: Any) -> dict[str, Any]:
        settings = self.settings(options)
        validation = cross_validate(
            part=_part(part), say=self.say, progress=self.progress("cross-validate", "batch"), **settings
        )
        table = table_1a(validation)
        if table["complete"]:
            drawn = {name: figures.make(name, validation) for name in ("roc", "confusion")}
            table["figures"] = {name: str(figure.files["png"]) for name, figure in drawn.items()}
        return table

    def as_text(self, result: dict[str, Any]) -> str:
        lines = [
            f"Table 1a: {result['dataset']}, {result['finished_folds']} of {result['runs']} x {result['folds']} folds, "
            f"preset {result['preset']}, {result['arch']}",
            f"start: {'; '.join(result['initialisation'])}",
        ]
        if not result["finished_folds"]:
            return "\n".join(lines)
        lines.append(f"{'':<10}{'network':>18}{'colour only':>18}{'published*':>18}")
        for key, label in (("accuracy", "Accuracy"), ("auc", "AUC")):
            columns = (result[key], result["colour_only"][key], result["paper"][key])
            lines.append(f"{label:<10}" + "".join(f"{_plus_minus(column):>18}" for column in columns))
        (tn, fp), (fn, tp) = result["confusion"]
        lines += [
            "",
            f"{'':<14}{'said none':>12}{'said tumour':>12}",
            f"{'no tumour':<14}{tn:>12}{fp:>12}",
            f"{'tumour':<14}{fn:>12}{tp:>12}",
            "",
            "run  fold     n  accuracy    AUC  colour AUC  seconds",
        ]
        lines += [
            f"{row['run']:>3}  {row['fold']:>4}  {row['n']:>4}  {row['accuracy']:>8.3f}  {row['auc']:>5.3f}"
            f"  {row['colour_only']['auc']:>10.3f}  {row['seconds']:>7.1f}"
            for row in result["per_fold"]
        ]
        runs, folds = published.TABLE_1A["runs"], published.TABLE_1A["folds"]
        lines += ["", f"* ResNet-18 on PanNuke breast, {runs} runs of {folds} folds; mean and SD over folds and runs."]
        lines += [f"{kind}: {path}" for kind, path in result.get("figures", {}).items()]
        return "\n".join(line for line in [*lines, result["warning"]] if line is not None)


def _plus_minus(value: dict[str, float | None]) -> str:
    return f"{value['mean']:.3f}" + (f" ± {value['sd']:.3f}" if value["sd"] is not None else "")


def _part(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, _, second = text.partition("/")
    if not (first.isdigit() and second.isdigit()):
        raise InvalidInput(f"--part {text}: two numbers with a slash expected, such as 0/2.")
    return int(first), int(second)
