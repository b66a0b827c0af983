"""What a reader's browser receives for one presentation: every exchange, byte for byte and header for header."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. ``headers`` in the order and spelling of the wire; ``seconds`` to the last byte."""

    kind: str  # page, state, image, second, answer, given, change, or a probe's name
    address: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    seconds: float

    @property
    def wire_length(self) -> int:
        """Bytes of the header lines and the body."""
        return sum(len(name) + len(value) + 4 for name, value in self.headers) + len(self.body)

    def values(self, *names: str) -> tuple[tuple[str, str], ...]:
        """The headers of these names (lower case)."""
        return tuple((name, value) for name, value in self.headers if name.lower() in names)


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything received for one presentation. ``tokens``: the opaque names by which the browser knew it.

    ``chose_first``: whether the first of the two answers was sent.
    """

    reader: str
    set: int
    position: int
    tokens: tuple[str, ...]
    exchanges: tuple[Exchange, ...]
    probes: tuple[Exchange, ...] = ()
    chose_first: bool = False

    def of(self, *kinds: str) -> list[Exchange]:
        return [exchange for exchange in self.exchanges if exchange.kind in kinds]

    @property
    def images(self) -> list[Exchange]:
        return self.of("image", "second")
