"""Which arms of a study are compared with which."""

from collections.abc import Iterable
from dataclasses import dataclass

from study.statistics.schema import arm_family


@dataclass(frozen=True)
class Comparison:
    """``arm`` less ``reference``; ``kind`` is ``primary``, ``control`` or ``noise``."""

    reference: str
    arm: str
    kind: str

    @property
    def name(self) -> str:
        return self.arm if self.reference == "original" else f"{self.arm} against {self.reference}"


def comparisons(arms: Iterable[str], perturbed_arm: str) -> list[Comparison]:
    """The primary comparison, every other arm against the original, and the perturbed arm against noise.

    Only the comparison with noise of equal energy tells an attack from a mere change of as many pixels by as much:
    that neither arm differs from the original says nothing about the two of them. Noise with the suffix of the
    perturbed arm (``noise-l2-4`` for ``perturbed-l2-4``) is its match; without such an arm every noise arm is compared.
    """
    present = sorted(set(arms))
    if perturbed_arm not in present:
        return []
    found = [Comparison("original", perturbed_arm, "primary")] if "original" in present else []
    if "original" in present:
        found += [
            Comparison("original", arm, "control")
            for arm in present
            if arm not in ("original", perturbed_arm) and arm_family(arm) != "pair"
        ]
    noise = [arm for arm in present if arm_family(arm) == "noise"]
    matched = "noise" + perturbed_arm.removeprefix("perturbed")
    if arm_family(perturbed_arm) == "perturbed":
        found += [Comparison(arm, perturbed_arm, "noise") for arm in noise if arm == matched or matched not in noise]
    return found
