"""The ways in which something besides the pixels could be told, and what each of them promises.

A channel turns what was seen of a presentation into a value. Where constancy is promised, all values of a reader's set
must be equal. A channel that cannot be constant (addresses differ, time passes) is put to the predictors of
``predict.py``; so is one with a broken promise, to say what it gives away.
"""

import math
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.blinding.seen import Exchange, Seen

Features = NDArray[np.float64]
DOCUMENTS = ("state", "answer", "given")
MOST_TRIGRAMS = 200
MOST_VALUES = 30


@dataclass(frozen=True, slots=True)
class Channel:
    """``value`` is compared where ``constant``; ``numbers`` gives the predictors' features (else the value's)."""

    name: str
    value: Callable[[Seen], Any]
    constant: bool = True
    numbers: Callable[[Seen], Sequence[float]] | None = None


# --- What is looked at ------------------------------------------------------------------------------------------------


def _headers(exchanges: list[Exchange], *, names_only: bool) -> tuple[Any, ...]:
    """Names in order, or values; the time of day is no secret, and cookies are a channel of their own."""
    apart = () if names_only else ("date", "set-cookie")
    return tuple(
        tuple(name if names_only else (name, value) for name, value in exchange.headers if name.lower() not in apart)
        for exchange in exchanges
    )


def png_chunks(body: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Name, length and content of each chunk of a PNG; what follows the end is a chunk named ``after the end``."""
    if not body.startswith(b"\x89PNG\r\n\x1a\n"):
        yield "no PNG", len(body), b""
        return
    at = 8
    while at + 8 <= len(body):
        (length,) = struct.unpack(">I", body[at : at + 4])
        name = body[at + 4 : at + 8].decode("latin-1")
        yield name, length, body[at + 8 : at + 8 + length]
        at += length + 12
        if name == "IEND":
            break
    if at != len(body):
        yield "after the end", len(body) - at, body[at:]


def _embedded(seen: Seen) -> tuple[Any, ...]:
    """All of the file but the pixels: which chunks, how long, and what stands in them."""
    return tuple(
        tuple((name, length, b"" if name == "IDAT" else content) for name, length, content in png_chunks(image.body))
        for image in seen.images
    )


_FORGERY = re.compile(rb'(name="csrfmiddlewaretoken" value=")[^"]*')
_KEY = re.compile(rb'(name="key" value=")[^"]*')
_PLACE = re.compile(rb'(id="position">|<progress id="progress" value="|"answered": |"revision": )\s*\d+')
_HIDDEN = re.compile(rb"( hidden|       )>")  # the first image has none before it, and a break comes every so often
_WINDOW = re.compile(rb'"(previous|current|next)": (null|\{[^}]*\})')
_STAGE = re.compile(rb'"stage": "(reading|set_done)"')
_OWN = re.compile(
    rb' class="earlier"(?=>)| checked(?=>)|(?<=inputmode="numeric" value=")[^"]*'
)  # what the reader answered
_GIVEN = re.compile(rb'"(answer|confidence|tumour_cell_count|perturbed_response|note)": [^,}]*')
_EXPIRY = re.compile(r"expires=[^;]*")


def masked(seen: Seen, body: bytes) -> bytes:
    """A page or document without what must differ: opaque names, the forgery token, the place in the set."""
    for token in seen.tokens:
        body = body.replace(token.encode(), b"TOKEN")
    for pattern in (_FORGERY, _KEY, _PLACE, _HIDDEN):
        body = pattern.sub(rb"\1*" if pattern is not _HIDDEN else b"*>", body)
    return body


def _changing(seen: Seen) -> tuple[bytes, ...]:
    """The pages on which the answer can be changed, without the answer, which the reader knows."""
    return tuple(_OWN.sub(b"", masked(seen, exchange.body)) for exchange in seen.of("change"))


def _document(body: bytes) -> bytes:
    """A JSON document without opaque names, the place in the set and the reader's own answer."""
    for pattern in (_PLACE, _WINDOW, _STAGE, _GIVEN):
        body = pattern.sub(b"*", body)
    return body.rstrip(b" ")


def _cookies(seen: Seen) -> tuple[Any, ...]:
    return tuple(
        tuple((name, _EXPIRY.sub("", value)) for name, value in exchange.values("set-cookie"))
        for exchange in seen.exchanges
    )


def _timing(seen: Seen) -> list[float]:
    """Logarithms of milliseconds: a busy moment must not hide a small, steady delay."""
    by_kind = {kind: [e.seconds for e in seen.of(kind)] for kind in ("image", "second", "page", "state", "answer")}
    return [math.log(1000 * sum(times) / len(times)) for times in by_kind.values() if times]


def _place(seen: Seen) -> list[float]:
    p = float(seen.position)
    return [p, p * p, float(seen.set), *(float(seen.position % n) for n in (2, 3, 4, 5))]


def _letters(seen: Seen) -> list[float]:
    """Every bit of every letter of the names, so that a parity or a prefix shows."""
    return [float(ord(letter) >> bit & 1) for token in seen.tokens for letter in token for bit in range(7)]


CHANNELS: tuple[Channel, ...] = (
    Channel("address", lambda seen: seen.tokens, constant=False, numbers=_letters),
    Channel("address length", lambda seen: tuple(len(image.address) for image in seen.images)),
    Channel("status", lambda seen: tuple(exchange.status for exchange in seen.exchanges)),
    Channel("image length", lambda seen: tuple(image.wire_length for image in seen.images)),
    Channel("image header names", lambda seen: _headers(seen.images, names_only=True)),
    Channel("image header values", lambda seen: _headers(seen.images, names_only=False)),
    Channel("validators", lambda seen: tuple(i.values("etag", "last-modified", "age") for i in seen.images)),
    Channel("file name", lambda seen: tuple(i.values("content-disposition", "content-location") for i in seen.images)),
    Channel("embedded in the file", _embedded),
    Channel("cookies", _cookies),
    Channel("page length", lambda seen: tuple(len(e.body) for e in seen.of("page"))),
    Channel("page content", lambda seen: tuple(masked(seen, e.body) for e in seen.of("page"))),
    Channel("page headers", lambda seen: _headers(seen.of("page", "change"), names_only=False)),
    Channel("changing an answer", _changing),
    Channel("document length", lambda seen: tuple(len(e.body) for e in seen.of(*DOCUMENTS))),
    Channel("document content", lambda seen: tuple(_document(e.body) for e in seen.of(*DOCUMENTS))),
    Channel("document headers", lambda seen: _headers(seen.of(*DOCUMENTS), names_only=False)),
    Channel("reach", lambda seen: tuple((probe.kind, probe.status, len(probe.body)) for probe in seen.probes)),
    Channel("timing", _timing, constant=False, numbers=_timing),
    Channel("order", _place, constant=False, numbers=_place),
)


# --- From values to numbers -------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _trigrams(texts: list[str]) -> list[str]:
    """Runs of three letters that some texts have and others have not, the most evenly spread first."""
    counts = Counter(part for text in texts for part in {text[at : at + 3] for at in range(len(text) - 2)})
    n = len(texts)
    telling = [(abs(count / n - 0.5), part) for part, count in counts.items() if 0.05 * n <= count <= 0.95 * n]
    return [part for _, part in sorted(telling)[:MOST_TRIGRAMS]]


def features(channel: Channel, seen: Sequence[Seen]) -> Features:
    """Numbers of a channel, (n, f): given by the channel, or a text's length, values, digits and runs of letters."""
    if channel.numbers is not None:
        return np.array([channel.numbers(one) for one in seen], dtype=float)
    texts = [_text(channel.value(one)) for one in seen]
    common = [text for text, count in Counter(texts).most_common(MOST_VALUES) if count > 1]
    parts = _trigrams(texts)
    rows = []
    for text in texts:
        digits = [float(run) for run in re.findall(r"\d{1,9}", text)[:8]]
        rows.append(
            [float(len(text)), *(digits + [0.0] * (8 - len(digits)))]
            + [float(text == value) for value in common]
            + [float(part in text) for part in parts]
        )
    return np.array(rows, dtype=float)


def pair_features(channel: Channel, seen: Sequence[Seen], x: Features, first: Any, second: Any) -> Features:
    """Numbers of pairs of presentations, (p, f): nearness in every number, equality, and how far the texts agree."""
    near = -np.abs(x[first] - x[second])
    texts = [_text(channel.value(one)) for one in seen]
    codes = np.unique(texts, return_inverse=True)[1]
    same = (codes[first] == codes[second]).astype(float)
    prefix = np.array([common_prefix(texts[i], texts[j]) for i, j in zip(first, second)], dtype=float)
    return np.column_stack([near, near.sum(axis=1), same, prefix])


def common_prefix(a: str, b: str) -> int:
    for at, (left, right) in enumerate(zip(a, b)):
        if left != right:
            return at
    return min(len(a), len(b))
