"""A classifier's network out of the file store, wherever that is: a folder, or a bucket of S3."""

import hashlib
import tempfile
from pathlib import Path

from django.conf import settings

from core.errors import InvalidInput
from model.learning.forms import Form, open_network
from model.learning.network import Network, load_weights
from model.models import Classifier


def stored_network(classifier: Classifier) -> Network:
    """In evaluation mode on the CPU. Raises InvalidInput if its file is missing or is not the one that was saved."""
    name = classifier.weights.name
    if not name:
        raise InvalidInput(f"Classifier {classifier} has no stored weights. Train it again.")
    try:
        with classifier.weights.storage.open(name, "rb") as stored:
            data = stored.read()
    except FileNotFoundError:
        raise InvalidInput(f"{name} is missing from the file store. Restore it from a backup.") from None
    found = hashlib.sha256(data).hexdigest()
    if found != classifier.weights_sha256:
        raise InvalidInput(
            f"{name} is not the file that was saved: its SHA-256 is {found}, recorded is {classifier.weights_sha256}."
        )
    kept, size = classifier.settings.get("form"), classifier.dataset.size
    if kept and kept["format"] != "weights":
        whole = Form.from_dict(kept)
        return open_network(whole, data, name, image_size=size, code_allowed=settings.PYTHON_NETWORKS)
    form = Form.from_dict(kept) if kept else None
    with tempfile.TemporaryDirectory(prefix="blindspot-weights-") as folder:
        copy = Path(folder) / Path(name).name
        copy.write_bytes(data)
        try:
            return load_weights(
                form.arch if form else classifier.arch,
                copy,
                image_size=size,
                shrink=classifier.settings.get("shrink", 1),
                reading=form.reading if form else None,
            )
        except InvalidInput as error:
            raise InvalidInput(str(error).replace(str(copy), name)) from error
