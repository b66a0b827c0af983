"""Channels: everything besides the pixels that could tell arms or twins apart.

A channel turns what was received for a presentation into a value. Most channels promise that this value is the same for
all presentations of a reader's set. Some cannot (addresses differ, times vary): ``predict.py`` tries to predict the arm
and the twins from them. It also does so for a broken promise, to show how much the channel gives away.
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
REQUEST_ID = "x-request-id"
MOST_TRIGRAMS = 200
MOST_VALUES = 30


@dataclass(frozen=True, slots=True)
class Channel:
    """``value`` must not vary where ``constant``; ``numbers`` are the predictors' input, by default from ``value``."""

    name: str
    value: Callable[[Seen], Any]
    constant: bool = True
    numbers: Callable[[Seen], Sequence[float]] | None = None


# --- What each channel compares ---------------------------------------------------------------------------------------


def _headers(exchanges: list[Exchange], *, names_only: bool) -> tuple[Any, ...]:
    """Header names in order, or names with values; without the date, and without cookies, which have a channel.

    Of a request's id, which has a channel too, the length.
    """
    left_out = () if names_only else ("date", "set-cookie")
    return tuple(
        tuple(
            name if names_only else (name, len(value) if name.lower() == REQUEST_ID else value)
            for name, value in exchange.headers
            if name.lower() not in left_out
        )
        for exchange in exchanges
    )


def _request_ids(seen: Seen) -> tuple[str, ...]:
    """Each as if it had its 32 letters: another length is found in the headers' values."""
    return tuple(f"{value:32.32}" for image in seen.images for _, value in image.values(REQUEST_ID))


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
    """The whole file except the pixels: the chunks' names, lengths and contents."""
    return tuple(
        tuple((name, length, b"" if name == "IDAT" else content) for name, length, content in png_chunks(image.body))
        for image in seen.images
    )


_CSRF = re.compile(rb'(name="csrfmiddlewaretoken" value=")[^"]*')
_KEY = re.compile(rb'(name="key" value=")[^"]*')
_POSITION = re.compile(rb'(id="position">|<progress id="progress" value="|"answered": |"revision": )\s*\d+')
_HIDDEN = re.compile(rb"( hidden|       )>")  # the first image has no way back, and breaks come at some positions
_WINDOW = re.compile(rb'"(previous|current|next)": (null|\{[^}]*\})')
_STAGE = re.compile(rb'"stage": "(reading|set_done)"')
# What the reader answered:
_OWN = re.compile(rb' class="earlier"(?=>)| checked(?=>)|(?<=inputmode="numeric" value=")[^"]*')
_ANSWER = re.compile(rb'"(answer|confidence|tumour_cell_count|perturbed_response|note)": [^,}]*')
_EXPIRY = re.compile(r"expires=[^;]*")


def masked(seen: Seen, body: bytes) -> bytes:
    """A page without the parts that must differ: tokens, the CSRF token, the position in the set."""
    for token in seen.tokens:
        body = body.replace(token.encode(), b"TOKEN")
    for pattern in (_CSRF, _KEY, _POSITION, _HIDDEN):
        body = pattern.sub(rb"\1*" if pattern is not _HIDDEN else b"*>", body)
    return body


def _changing(seen: Seen) -> tuple[bytes, ...]:
    """The pages on which the answer can be changed, without the answer: the reader gave it."""
    return tuple(_OWN.sub(b"", masked(seen, exchange.body)) for exchange in seen.of("change"))


def _document(body: bytes) -> bytes:
    """A JSON document without tokens, the position in the set and the reader's own answer."""
    for pattern in (_POSITION, _WINDOW, _STAGE, _ANSWER):
        body = pattern.sub(b"*", body)
    return body.rstrip(b" ")


def _cookies(seen: Seen) -> tuple[Any, ...]:
    return tuple(
        tuple((name, _EXPIRY.sub("", value)) for name, value in exchange.values("set-cookie"))
        for exchange in seen.exchanges
    )


def _timing(seen: Seen) -> list[float]:
    """Logarithms of milliseconds, so that one slow answer does not hide a small, regular delay."""
    by_kind = {kind: [e.seconds for e in seen.of(kind)] for kind in ("image", "second", "page", "state", "answer")}
    return [math.log(1000 * sum(times) / len(times)) for times in by_kind.values() if times]


def _position(seen: Seen) -> list[float]:
    p = float(seen.position)
    return [p, p * p, float(seen.set), *(float(seen.position % n) for n in (2, 3, 4, 5))]


def _letters(seen: Seen) -> list[float]:
    """Every bit of every letter of the tokens, so that a parity or a common prefix shows."""
    return _bits(seen.tokens)


def _bits(texts: tuple[str, ...]) -> list[float]:
    return [float(ord(letter) >> bit & 1) for text in texts for letter in text for bit in range(7)] or [0.0]


CHANNELS: tuple[Channel, ...] = (
    Channel("address", lambda seen: seen.tokens, constant=False, numbers=_letters),
    Channel("address length", lambda seen: tuple(len(image.address) for image in seen.images)),
    Channel("status", lambda seen: tuple(exchange.status for exchange in seen.exchanges)),
    Channel("image length", lambda seen: tuple(image.wire_length for image in seen.images)),
    Channel("image header names", lambda seen: _headers(seen.images, names_only=True)),
    Channel("image header values", lambda seen: _headers(seen.images, names_only=False)),
    Channel("request id", _request_ids, constant=False, numbers=lambda seen: _bits(_request_ids(seen))),
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
    Channel("order", _position, constant=False, numbers=_position),
)


# --- From values to numbers -------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _trigrams(texts: list[str]) -> list[str]:
    """Runs of three letters that 5 to 95 % of the texts contain, those nearest to half of the texts first."""
    counts = Counter(part for text in texts for part in {text[at : at + 3] for at in range(len(text) - 2)})
    n = len(texts)
    telling = [(abs(count / n - 0.5), part) for part, count in counts.items() if 0.05 * n <= count <= 0.95 * n]
    return [part for _, part in sorted(telling)[:MOST_TRIGRAMS]]


def features(channel: Channel, seen: Sequence[Seen]) -> Features:
    """The predictors' input, (n, f): the channel's numbers, or its value's length, digits, and parts as a text."""
    if channel.numbers is not None:
        return np.array([channel.numbers(presentation) for presentation in seen], dtype=float)
    texts = [_text(channel.value(presentation)) for presentation in seen]
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
    """The same for pairs of presentations, (p, f): differences of all numbers, equality, length of the common start."""
    near = -np.abs(x[first] - x[second])
    texts = [_text(channel.value(presentation)) for presentation in seen]
    codes = np.unique(texts, return_inverse=True)[1]
    same = (codes[first] == codes[second]).astype(float)
    prefix = np.array([common_prefix(texts[i], texts[j]) for i, j in zip(first, second)], dtype=float)
    return np.column_stack([near, near.sum(axis=1), same, prefix])


def common_prefix(a: str, b: str) -> int:
    """How many letters two texts have in common at their start."""
    for at, (left, right) in enumerate(zip(a, b)):
        if left != right:
            return at
    return min(len(a), len(b))
