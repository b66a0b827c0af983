"""A classifier's network out of the file store, wherever that is: a folder, or a bucket of S3."""

import shutil
import tempfile
from pathlib import Path

from core.errors import InvalidInput
from model.learning.network import Network, load_weights
from model.models import Classifier


def stored_network(classifier: Classifier) -> Network:
    """In evaluation mode on the CPU. Raises InvalidInput if its file is missing or is not the one that was saved."""
    name = classifier.weights.name
    if not name:
        raise InvalidInput(f"Classifier {classifier} has no stored weights. Train it again.")
    with tempfile.TemporaryDirectory(prefix="blindspot-weights-") as folder:
        copy = Path(folder) / Path(name).name
        try:
            with classifier.weights.storage.open(name, "rb") as stored, copy.open("wb") as file:
                shutil.copyfileobj(stored, file)
        except FileNotFoundError:
            raise InvalidInput(f"{name} is missing from the file store. Restore it from a backup.") from None
        try:
            return load_weights(
                classifier.arch,
                copy,
                sha256=classifier.weights_sha256,
                image_size=classifier.dataset.size,
                shrink=classifier.settings.get("shrink", 1),
            )
        except InvalidInput as error:
            raise InvalidInput(str(error).replace(str(copy), name)) from error
