"""The R script that travels with the data (`analysis.R` beside this file): the same questions asked again in R."""

from pathlib import Path
from typing import Any

_SCRIPT = Path(__file__).with_name("analysis.R")


def r_script(title: str, analysis: dict[str, Any]) -> str:
    """The script for one study. It finds out by itself how many readers, sets and groups there are."""
    one_line = " ".join(title.split())
    return f"# {one_line}\n{_SCRIPT.read_text()}".replace("PERTURBED ARM", analysis["perturbed_arm"])
