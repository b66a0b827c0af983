"""measures [--attack A] [--pairs P] [--study S]: CIEDE2000 and MS-SSIM of altered images that have none yet."""

from typing import Any

from attacks.measuring import measure_attack, measure_pairs
from attacks.models import Attack, PairSet
from attacks.selectors import attack_named, pairs_named
from core.commands import JsonCommand
from study import blinds as selectors
from study.models import Study
from study.protocol.measuring import measure_study


class Command(JsonCommand):
    help = (
        "How different altered images look from their originals: mean colour difference (CIEDE2000) and 1 - MS-SSIM, "
        "stored beside the norms. Attacks that are asked for on pages, imported pairs and new studies are measured by "
        "themselves; this measures what has no measures yet. Without an option: everything."
    )

    def add_arguments(self, parser):
        parser.add_argument("--attack", help="only the images of this attack")
        parser.add_argument("--pairs", help="only this set of imported pairs")
        parser.add_argument("--study", help="only the stimuli of this study")

    def run(self, *, attack: str | None, pairs: str | None, study: str | None, **options: Any) -> dict[str, Any]:
        everything = not (attack or pairs or study)
        found: dict[str, Any] = {"attacks": {}, "pairs": {}, "studies": {}}
        for one in Attack.objects.order_by("pk") if everything else [attack_named(attack)] if attack else []:
            progress = self.progress(f"attack {one.name}", "image")
            found["attacks"][one.name] = measure_attack(attack=one, progress=progress)
        for pair_set in PairSet.objects.order_by("pk") if everything else [pairs_named(pairs)] if pairs else []:
            progress = self.progress(f"pairs {pair_set.name}", "pair")
            found["pairs"][pair_set.name] = measure_pairs(pair_set=pair_set, progress=progress)
        for row in Study.objects.order_by("pk") if everything else [selectors.get_study(study)] if study else []:
            progress = self.progress(f"study {row.slug}", "stimulus")
            found["studies"][row.slug] = measure_study(study=row, progress=progress)
        return found
