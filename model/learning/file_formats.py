"""What a network's file holds, by its content. No torch: a page says at once what is wrong with a file."""

import zipfile
from pathlib import Path
from typing import IO, Any, Literal

from core.errors import InvalidInput

Format = Literal["weights", "torchscript", "onnx", "encoder", "python"]
ENDINGS = (".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".onnx", ".ts", ".torchscript")
_PICKLES = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))
MAX_RATIO, SMALL_ARCHIVE = 4, 50_000_000
"""So many times what it holds may an archive unpack to, unless it is small: memory is not for the taking."""
_LONGEST_HEADER = 100_000_000
"""Of safetensors, as its own library allows."""


def format_of(path: str | Path) -> Format:
    """ "torchscript", "onnx" or "weights"; the last also for what is no network at all."""
    with Path(path).open("rb") as file:
        return found_in(file, str(path)) or "weights"


def found_in(file: IO[bytes] | Any, name: str) -> Format | None:
    """What an open file holds: "weights" is a state dict or safetensors. None: nothing that a network is made of.

    Raises InvalidInput for an archive that unpacks to many times its size.
    """
    if name.endswith(".onnx"):
        return "onnx"
    file.seek(0)
    start = file.read(9)
    file.seek(0)
    if start[:2] == b"PK":
        return _in_archive(file, name)
    if start.startswith(_PICKLES):
        return "weights"  # as torch wrote them before 2020
    header = int.from_bytes(start[:8], "little")
    return "weights" if start[8:9] == b"{" and 2 <= header <= _LONGEST_HEADER else None


def _in_archive(file: Any, name: str) -> Format | None:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except Exception:  # a damaged archive makes zipfile raise nearly anything
        return None
    finally:
        file.seek(0)
    names = [member.filename for member in members]
    size, packed = (sum(getattr(member, of) for member in members) for of in ("file_size", "compress_size"))
    if size > SMALL_ARCHIVE and size > MAX_RATIO * packed:
        raise InvalidInput(
            f"The file {name} unpacks to {size / 1e6:.0f} MB, {size / max(packed, 1):.0f} times what it holds. "
            "torch does not compress weights: save it with torch.save."
        )
    if any(name.endswith("/constants.pkl") for name in names):
        return "torchscript"
    return "weights" if any(name.endswith("data.pkl") for name in names) else None
