"""What people's files can look like: pictures, archives, tables, arrays and checkpoints, sound, odd and damaged.

Tried briefly in `make test`, FUZZ times as often in `make fuzz`. Whatever is made of them, nothing may come out but
success or an InvalidInput that names file, row or field, and nothing half imported.
"""

import io
import os
import struct
import unicodedata
import zipfile
import zlib
from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

TIMES = int(os.environ.get("FUZZ", "1"))


def tried(examples: int) -> Any:
    """Settings of a property: so many examples in an ordinary run."""
    unhealthy = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples * TIMES, deadline=None, suppress_health_check=unhealthy)


# --- Bytes ------------------------------------------------------------------------------------------------------------

LIMITS = [0, 1, 2, 8, 16, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]


@st.composite
def damaged(draw: Any, whole: bytes, least: int = 0) -> bytes:
    """``whole`` with a few wrong bytes or numbers, lost, doubled or emptied parts, most of them in its head or tail,
    where formats keep what they say of themselves; often cut short."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(least, 4))):
        last = len(data) - 1
        if last < 0:
            break
        at = draw(st.integers(0, min(last, 300)) | st.integers(max(0, last - 300), last) | st.integers(0, last))
        kind = draw(st.sampled_from(["byte", "byte", "number", "lost", "doubled", "zeros", "foreign"]))
        length = draw(st.integers(1, 64))
        if kind == "byte":
            data[at] = draw(st.integers(0, 255))
        elif kind == "number":
            form = draw(st.sampled_from(["<H", ">H", "<I", ">I"]))
            size = struct.calcsize(form)
            data[at : at + size] = struct.pack(form, draw(st.sampled_from(LIMITS)) % 256**size)
        elif kind == "lost":
            del data[at : at + length]
        elif kind == "doubled":
            data[at:at] = data[at : at + length]
        elif kind == "zeros":
            data[at : at + length] = bytes(len(data[at : at + length]))
        else:
            data[at:at] = draw(st.sampled_from([b"\r\n", b"\xef\xbb\xbf", b"\x00", b"PK\x03\x04", b"<html>"]))
    if draw(st.booleans()):
        del data[draw(st.integers(0, len(data))) :]
    return bytes(data)


# --- Pictures ---------------------------------------------------------------------------------------------------------

FORMATS = {
    "png": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "jpg": ["L", "RGB", "CMYK"],
    "tif": ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "LAB", "YCbCr"],
    "bmp": ["1", "L", "P", "RGB"],
    "gif": ["L", "P", "RGB"],
    "webp": ["RGB", "RGBA"],
    "avif": ["RGB", "RGBA"],
    "jp2": ["L", "RGB", "RGBA", "I;16"],
    "ppm": ["1", "L", "RGB", "I;16"],
    "tga": ["L", "LA", "P", "RGB", "RGBA"],
    "ico": ["RGB", "RGBA"],
    "pcx": ["1", "L", "P", "RGB"],
    "sgi": ["L", "RGB", "RGBA"],
    "dds": ["RGB", "RGBA"],
}
SAVED: dict[str, list[dict[str, Any]]] = {
    "png": [{}, {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()}, {"dpi": (1, 1)}],
    "jpg": [{}, {"progressive": True}, {"icc_profile": b"no profile"}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\xff\xff"}],
    "tif": [{"compression": c} for c in (None, "tiff_lzw", "tiff_deflate", "packbits", "jpeg")],
    "webp": [{}, {"lossless": True}],
}


def pixels(seed: int, size: int = 40) -> np.ndarray:
    """A picture whose left half is plain, so that every compression has runs to get wrong."""
    made = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    made[:, : size // 2] = seed % 256
    return made


def _image(mode: str) -> Image.Image:
    picture = Image.fromarray(pixels(1))
    if mode == "I;16":
        return Image.fromarray(pixels(1)[..., 0].astype(np.uint16) * 16)
    return picture.convert("RGB" if mode == "LAB" else mode)


@st.composite
def whole_pictures(draw: Any) -> tuple[str, bytes]:
    """Suffix and bytes of a sound file of any format, in any of its modes."""
    suffix = draw(st.sampled_from(sorted(FORMATS)))
    image, file = _image(draw(st.sampled_from(FORMATS[suffix]))), io.BytesIO()
    more: dict[str, Any] = draw(st.sampled_from(SAVED.get(suffix, [{}])))
    if suffix in ("png", "gif", "tif", "webp", "avif") and draw(st.integers(0, 5)) == 0:
        more = {"save_all": True, "append_images": [image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]}
    kind = Image.registered_extensions()[f".{suffix}"]
    try:
        image.save(file, kind, **more)
    except (OSError, ValueError, KeyError):  # not every option goes with every mode
        file = io.BytesIO()
        image.convert("RGB").save(file, kind)
    return suffix, file.getvalue()


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


@st.composite
def odd_pngs(draw: Any) -> tuple[str, bytes]:
    """A PNG whose checksums are right and whose chunks are not: a header that promises something else, odd extras."""
    width, height = draw(st.sampled_from([(40, 40), (0, 40), (40, 0), (41, 40), (2**31 - 1, 1), (60_000, 60_000)]))
    depth, kind = draw(st.sampled_from([8, 1, 2, 4, 16, 3])), draw(st.sampled_from([2, 0, 3, 4, 6, 5]))
    head = struct.pack(
        ">IIBBBBB", width, height, depth, kind, *draw(st.sampled_from([(0, 0, 0), (0, 0, 1), (1, 1, 2)]))
    )
    names = [b"PLTE", b"tRNS", b"iCCP", b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"acTL", b"fcTL", b"fdAT", b"gAMA", b"cICP"]
    extras = draw(st.lists(st.tuples(st.sampled_from(names), st.binary(max_size=40)), max_size=3))
    rows = zlib.compress(draw(st.sampled_from([bytes(40 * 121), bytes(10), b"\5" * 40 * 400])))
    chunks = [_chunk(b"IHDR", head), *(_chunk(*extra) for extra in extras), _chunk(b"IDAT", rows), _chunk(b"IEND", b"")]
    if draw(st.booleans()):
        del chunks[draw(st.integers(0, len(chunks) - 1))]
    return "png", b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@st.composite
def odd_tiffs(draw: Any) -> tuple[str, bytes]:
    """A TIFF of tags that contradict each other, point outside, are missing, or are of a wrong kind."""
    tags = {256: (3, 1, 40), 257: (3, 1, 40), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 273: (4, 1, 300)}
    tags |= {277: (3, 1, 1), 278: (3, 1, 40), 279: (4, 1, 1600)}
    for _ in range(draw(st.integers(0, 3))):
        tag = draw(st.sampled_from([*tags, 254, 266, 274, 284, 296, 317, 320, 330, 338, 339, 347, 34665, 34675]))
        tags[tag] = (
            draw(st.integers(0, 13)),
            draw(st.sampled_from([0, 1, 2, 3, 2**31])),
            draw(st.sampled_from(LIMITS)),
        )
    for _ in range(draw(st.integers(0, 2))):
        tags.pop(draw(st.sampled_from(sorted(tags))), None)
    order = draw(st.sampled_from("<>"))
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(tags))
    entries = b""
    for tag, (kind, count, value) in sorted(tags.items()):
        short = kind == 3 and count == 1
        entries += struct.pack(f"{order}HHI", tag, kind, count)
        entries += struct.pack(f"{order}HH", value % 2**16, 0) if short else struct.pack(f"{order}I", value)
    return "tif", (head + entries + b"\0" * 4).ljust(300, b"\0") + bytes(range(200)) * 8


def pictures() -> Any:
    """Suffix and bytes of a file that is, or once was, or pretends to be a picture."""
    spoilt = whole_pictures().flatmap(lambda made: st.tuples(st.just(made[0]), damaged(made[1])))
    foreign = st.tuples(st.sampled_from(["png", "jpg", "svg", "pdf", "txt", "dcm"]), st.binary(max_size=300))
    other_suffix = st.tuples(st.sampled_from(["png", "jpg", "tif"]), whole_pictures().map(lambda made: made[1]))
    return st.one_of(spoilt, spoilt, whole_pictures(), odd_pngs(), odd_tiffs(), other_suffix, foreign)


# --- Archives ---------------------------------------------------------------------------------------------------------

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
ODD_NAMES = ["", "/", ".", "..", "../x", "/x", "C:\\x", "a\\", "\\", "a//b", "x" * 300, "a/" * 200 + "b", "con", "a:b"]


def entry_names() -> Any:
    """Names as zip programs of all systems write them, and as nobody should."""
    letters = st.text(st.sampled_from("abÄéßЖ中😀 .-_\\/"), min_size=1, max_size=12)
    forms = st.sampled_from(["NFC", "NFD", "NFKC"])
    left = st.sampled_from(["__MACOSX/._a.png", "Thumbs.db", ".DS_Store", "set/desktop.ini", "set/._labels.csv"])
    return st.one_of(st.builds(unicodedata.normalize, forms, letters), left, st.sampled_from(ODD_NAMES))


@st.composite
def archives(draw: Any, files: dict[str, bytes]) -> bytes:
    """``files`` zipped as somebody's program does it, with what else lies in the folder; sometimes damaged."""
    buffer, folder = io.BytesIO(), draw(st.sampled_from(["", "", "set/", "set\\", "./", "a/b/", "Präparate/"]))
    more = draw(st.lists(st.tuples(entry_names(), st.binary(max_size=20)), max_size=3))
    with zipfile.ZipFile(buffer, "w", draw(st.sampled_from(METHODS))) as archive:
        for name, data in [*((folder + name, data) for name, data in files.items()), *more]:
            info = zipfile.ZipInfo(name)
            info.filename = name  # ZipInfo mends a name by the rules of this system
            info.external_attr = draw(st.sampled_from([0, 0, 0o100644 << 16, 0o120777 << 16, 0x10]))
            info.extra = draw(st.sampled_from([b"", b"", b"\x75\x70\x03\0\1ab", b"\x01\0\x08\0" + b"\xff" * 8, b"\1"]))
            archive.writestr(info, data, archive.compression)
    return draw(damaged(buffer.getvalue()) if draw(st.booleans()) else st.just(buffer.getvalue()))


# --- Tables -----------------------------------------------------------------------------------------------------------

ODD_CELLS = [
    "",
    " ",
    "0",
    "1",
    "1,0",
    "-1",
    "1e400",
    "nan",
    "inf",
    "NA",
    "#N/A",
    "TRUE",
    "=1+1",
    '"',
    "'",
    "\0",
    "sep=;",
]
ODD_CELLS += [
    "x" * 300,
    "../x",
    "/etc/passwd",
    "\ufeff",
    "\u202e",
    "\u00a01",
    "١",
    "99999999999999999999",
    "1.5",
    "a;b",
]
ENCODINGS = ["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "cp1251", "shift_jis", "utf-7"]


@st.composite
def tables(draw: Any, header: list[str], rows: list[list[str]]) -> bytes:
    """A sound table with odd cells, columns and lines, as any spreadsheet of any country saves it; or damaged."""
    names, body = list(header), [list(row) for row in rows]
    for _ in range(draw(st.integers(0, 3))):
        row = draw(st.sampled_from(body))
        row[draw(st.integers(0, len(row) - 1))] = draw(st.sampled_from(ODD_CELLS) | st.text(max_size=8))
    change = draw(st.sampled_from(["", "", "", "short", "long", "twice", "blank", "capitals", "column", "no header"]))
    if change == "short":
        draw(st.sampled_from(body)).pop()
    elif change == "long":
        draw(st.sampled_from(body)).extend(["", draw(st.sampled_from(ODD_CELLS))])
    elif change == "twice":
        body.append(list(draw(st.sampled_from(body))))
    elif change == "blank":
        body.insert(draw(st.integers(0, len(body))), [""] * draw(st.integers(0, 3)))
    elif change == "capitals":
        names = [f" {name.title()} " for name in names]
    elif change == "column":
        names[draw(st.integers(0, len(names) - 1))] = draw(st.sampled_from([*header, "", "x", *ODD_CELLS]))
    mark, end = draw(st.sampled_from(",,;\t|")), draw(st.sampled_from(["\n", "\r\n", "\r"]))
    first = draw(st.sampled_from(["", "", "", f"sep={mark}{end}", f'"sep={mark}"{end}', end, "# note" + end]))
    lines = body if change == "no header" else [names, *body]
    quote = draw(st.sampled_from(["", "", '"']))
    text = first + end.join(mark.join(f"{quote}{cell}{quote}" for cell in line) for line in lines)
    text += draw(st.sampled_from(["", end, end * 3, mark, '"', "\x1a"]))
    data = text.encode(draw(st.sampled_from(ENCODINGS)), "replace")
    return draw(damaged(data)) if draw(st.integers(0, 3)) == 0 else data


# --- Arrays -----------------------------------------------------------------------------------------------------------

DTYPES = ["u1", "f8", "<f4", ">f8", "f2", "i4", ">i2", "u8", "?", "c8", "S8", "U8", "O", "M8[s]", "V4", "u1,u1"]


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


@st.composite
def arrays(draw: Any, usual: np.ndarray) -> bytes:
    """``usual`` as a .npy file: of another dtype, shape, order or value, as another format, or damaged."""
    array = usual.copy()
    kind = draw(st.sampled_from(["as it is", "dtype", "shape", "order", "value", "other format", "version"]))
    if kind == "dtype":
        wanted = np.dtype(draw(st.sampled_from(DTYPES)))
        try:
            array = array.astype(wanted)
        except (TypeError, ValueError):
            array = np.zeros(array.shape, wanted)
    elif kind == "shape":
        shapes = [
            array[:0],
            array[..., :1],
            array[0],
            array[None],
            np.moveaxis(array, -1, 0),
            array.ravel()[:1].reshape(()),
        ]
        array = draw(st.sampled_from([*shapes, np.repeat(array, 2, axis=0), array.ravel()]))
    elif kind == "order":
        array = np.asfortranarray(array)
    elif kind == "value" and array.dtype.kind in "fiu":
        array = array.astype(draw(st.sampled_from(["f8", "f4"])))
        odd = draw(st.sampled_from([np.nan, np.inf, -np.inf, -1, -0.0, 0.5, 255.4, 256, 1e300, 1e-300]))
        with np.errstate(over="ignore"):
            array.ravel()[draw(st.integers(0, array.size - 1))] = odd
    elif kind == "value":
        array[draw(st.integers(0, len(array) - 1))] = draw(st.sampled_from(["", "breast", " Breast", "\0", "Ж" * 6]))
    data = _npy(array)
    if kind == "version":
        data = data[:6] + draw(st.sampled_from([b"\2\0", b"\3\0", b"\x09\x09"])) + data[8:]
    if kind == "other format":
        zipped, text = io.BytesIO(), io.BytesIO()
        np.savez(zipped, array)
        np.savetxt(text, np.zeros((3, 3)))
        data = draw(
            st.sampled_from([zipped.getvalue(), text.getvalue(), b"", b"\x89HDF\r\n\x1a\n", b"<!DOCTYPE html>"])
        )
    return draw(damaged(data, least=1)) if draw(st.integers(0, 2)) == 0 else data


# --- Checkpoints ------------------------------------------------------------------------------------------------------

ODD_VALUES: list[Any] = [
    *(torch.tensor(1.0), torch.ones(0), torch.ones(2, 3), torch.full((2, 1024), torch.nan), torch.ones(1, 1024)),
    *(torch.ones(2, 1024, dtype=torch.complex64), torch.ones(2, 1024, dtype=torch.int8), torch.eye(2).to_sparse()),
    *(torch.full((2, 1024), 1e38) * 10, torch.ones(2, 1024).half(), torch.ones(2, 1024, dtype=torch.bfloat16)),
    *(torch.ones(1).expand(2, 1024), torch.ones(1024, 2).T, torch.ones(2, 1024, device="meta"), torch.ones(2) > 0),
    *(
        torch.quantize_per_tensor(torch.ones(2, 1024), 0.1, 0, torch.qint8),
        torch.ones(2, 1024, dtype=torch.float8_e4m3fn),
    ),
    *(torch.nn.Parameter(torch.ones(2, 1024)), torch.full((2, 1024), 3e38, dtype=torch.float64) * 10),
    *(3, "text", None, {"a": torch.ones(1)}, [torch.ones(1)], np.ones(3), (), {"": {}}),
]
WRAPPED = ["", "", "model", "state_dict", "x", "module", "ema", "optimizer"]
PREFIXES = ["", "", "module.", "_orig_mod.", "model.module.", "net.", "fc.", "0.", "a.b.c.d.e."]


@st.composite
def checkpoints(draw: Any, state: dict[str, Any]) -> bytes:
    """``state`` with names, shapes, kinds and tables that nobody meant, in one of torch's file formats; or damaged."""
    keys, prefix = list(state), draw(st.sampled_from(PREFIXES))
    found: dict[Any, Any] = {prefix + key: value for key, value in state.items()}
    for _ in range(draw(st.integers(0, 3))):
        key = draw(st.sampled_from([*keys, "fc.weight", "fc.bias", "extra", "", 0, None, "fc.weight.x", "Ж"]))
        found[prefix + key if isinstance(key, str) else key] = draw(st.sampled_from(ODD_VALUES))
    for _ in range(draw(st.integers(0, 2))):
        found.pop(prefix + draw(st.sampled_from(keys)), None)
    wrapped = draw(st.sampled_from(WRAPPED))
    value: Any = {wrapped: found, "epoch": 1} if wrapped else found
    value = draw(st.sampled_from([value] * 6 + [[value], (value, 1), list(found), torch.ones(3), None, 0]))
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=draw(st.booleans()))
    return draw(damaged(file.getvalue(), least=1)) if draw(st.integers(0, 2)) == 0 else file.getvalue()
