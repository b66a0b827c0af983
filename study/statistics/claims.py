"""What a claim against the margin cannot exclude, said beside it. Figures: docs/statistics.md."""

from study.statistics.endpoint import Endpoint

FEW_READERS = 5


def limits_of_the_claim(endpoint: Endpoint, readers: int, alpha: float) -> list[str]:
    """Sentences for a verdict of equivalence or non-inferiority; none without such a verdict."""
    primary = endpoint.primary
    if primary is None or not primary.margin or primary.verdict not in ("equivalent", "non_inferior"):
        return []
    said = []
    unseen = (1 - primary.margin) ** primary.units
    if unseen > alpha:
        if primary.units < primary.patches:
            one, many, lost = "slide", "slides or patients", "in {share:g} of 100 slides every patch were"
        else:
            one, many, lost = "patch", "patches", "{share:g} of 100 patches were"
        said.append(
            f"{primary.units} {many} are few for this claim: if {lost.format(share=100 * primary.margin)} lost to "
            f"every reader, {100 * unseen:.0f} in 100 samples of this size would hold no such {one}. No interval can "
            "see what was not drawn."
        )
    if 1 < readers <= FEW_READERS:
        said.append(
            f"{readers} readers: the claim holds at its rate for readers who differ as pathologists in our simulations "
            "do. If a fifth of all variation lay between readers, it would be false in up to 6 of 100 studies, not 2.5."
        )
    return said
