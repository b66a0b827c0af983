"""What the attacks wing does as jobs."""

from typing import Any

from attacks.models import PairSet
from model import uploads
from model.jobs.registry import job
from model.jobs.selectors import made_before


@job("attack", title="Attack", unit="patches", divisible=True)
def attack(context, *, name: str, classifier: str, part: tuple[int, int] | None = None, **settings: Any) -> dict:
    """``settings`` are those of ``attacks.services.run_attack``; 256 patches are a chunk."""
    from attacks.selectors import classifier_named
    from attacks.services import run_attack

    found = run_attack(
        name=name,
        classifier=classifier_named(classifier),
        created_by=context.job.requested_by,
        part=part,
        progress=context.progress,
        **settings,
    )
    shown = ("images", "attacked", "flipped", "flipped_positives", "seconds")
    return {"attack": found.name} | {key: found.summary[key] for key in shown if key in found.summary}


@job(
    "import_pairs",
    title="Import pairs",
    unit="pairs",
    cleanup=lambda **arguments: uploads.forget(arguments.get("upload", "")),
)
def import_pairs(
    context, *, name: str, upload: str = "", called: str = "", folder: str = "", classifier: str = ""
) -> dict[str, Any]:
    """A folder with ``pairs.csv``: uploaded as a zip file, or on the server."""
    from attacks import pair_services
    from attacks.engine.pairs import PAIRS
    from attacks.selectors import classifier_named

    def take(path: Any, source: dict[str, Any]) -> PairSet:
        return pair_services.import_pairs(
            name=name,
            folder=path,
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
    return {"pairs": found.name, "count": found.pairs.count(), "variants": found.variants, "sha256": found.sha256}
