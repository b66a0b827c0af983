"""Small data sets in the database: pictures with dark dots (tumour) and without."""

from model.learning.patches import Patch
from model.models import Dataset
from model.services import import_dataset
from tests.model.test_training import dots


def small_dataset(name="small", *, n=24, size=40, groups=True, masks=False, seed=0) -> Dataset:
    """``n`` patches, half of them positive, on slides of two patches of one class unless ``groups`` is False."""
    images, labels = dots(n, size, seed)
    patches = [
        Patch(
            name=f"p{row}",
            pixels=image,
            tumour=bool(label),
            group=f"slide {label}-{row // 4}" if groups else "",
            tumour_mask=(image[..., 0] < 100) if masks and label else None,
        )
        for row, (image, label) in enumerate(zip(images, labels))
    ]
    return import_dataset(name=name, kind=Dataset.Kind.FOLDER, patches=patches, source={})
