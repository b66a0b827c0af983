"""The order in which a reader sees a study's patches where twins lie in different sets: a crossover.

In each set the reader meets every patch once, in one arm; over the sets the patch goes through its arms. With two arms
and two sets, half of the patches are met original first and the other half altered first. Words are those of
``schedule.py``; ``K`` is the number of arms of a case, ``n`` the number of cases. Every schedule has these properties;
the proofs are in ``docs/decisions/0009-twins-in-different-sets.md``:

1. **One arm per set.** In each cycle of K sets a case has each of its arms once.
2. **Gap.** Where one set follows the other directly, two presentations of one case are at least ``min_gap`` apart.
   The largest feasible gap is ``n``, and it is reached.
3. **Blindness of position.** Over the seeds, every case is at every position of every set in every one of its arms with
   probability exactly ``1/(n K)``: arm, truth and patch are independent of the position.
4. **Balance within a reader.** Per kind of case, the arms of a set are equal in number to within one, and balanced in
   consecutive blocks of 4 to 6 times the number of arms, at random inside a block.
5. **Balance between readers.** Readers come in rounds of K. Within a round each patch is met, in each set, in each arm
   by exactly one reader; and each place of each set shows each arm to exactly one of them.

The construction: the readers of a round have one *plan* from one seed. It is made for slots, which stand for cases:
(a) the slots' order in every set, by the urn of ``schedule.py``; (b) their arms, by colouring the graph that joins
slots to groups of places, so that a slot has each colour once in a cycle and each group every colour once. Then (c)
each reader's turn moves all arms on by so many steps, and (d) the cases are dealt to the slots: by the round's seed,
and among the slots that have the same arms in every set again by the reader's own seed.
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from math import lcm

from core.errors import InvalidInput
from study.design.draws import Draws, Seed
from study.design.schedule import Schedule, StimulusKey, cases_of, colour_edges, groups_in_blocks, urn

CaseId = str | int


def readers_per_round(stimuli: Sequence[StimulusKey]) -> int:
    """How many readers together see each patch in each arm equally often in every set."""
    return lcm(*(len(members) for members in cases_of(stimuli).values()))


def largest_split_gap(stimuli: Sequence[StimulusKey], *, copies: int, adjacent_sets: bool = True) -> int | None:
    """The largest feasible gap, the number of cases; ``None`` if no case recurs within adjacent sets."""
    return len(cases_of(stimuli)) if adjacent_sets and copies > 1 else None


def check_sets(arms: int, copies: int) -> None:
    """Raises InvalidInput, saying what would be feasible, unless ``copies`` sets are a multiple of ``arms``."""
    if copies % arms:
        raise InvalidInput(
            f"{copies} sets are no multiple of {arms}: with one arm per set, a patch of {arms} arms needs {arms} sets "
            f"(or {2 * arms}, {3 * arms}, ...) to be met in each arm equally often. Ask for {arms} sets, for fewer "
            "arms, or for the arm order 'paper'.",
            field="copies",
        )


def build_twin_split(
    stimuli: Sequence[StimulusKey],
    *,
    copies: int,
    min_gap: int,
    seed: Seed,
    round_seed: Seed,
    turn: int = 0,
    kinds: Mapping[CaseId, Hashable] | None = None,
    adjacent_sets: bool = True,
) -> Schedule:
    """Draw one reader's schedule.

    Args:
        stimuli: the stimuli of the study; their order gives the indices of the result.
        copies: number of sets, each showing every case once; a multiple of every case's number of arms.
        min_gap: smallest allowed difference of positions between two presentations of one case in adjacent sets.
        seed: the reader's own seed.
        round_seed: the seed that the readers of one round share.
        turn: which reader of the round this is, from 0.
        kinds: what sort of case each is (its truth); arms are balanced within each kind. All are one kind if left out.
        adjacent_sets: whether one set may follow the other without a pause, so that the gap must hold across.

    Raises:
        InvalidInput: no stimuli, a stimulus twice, fewer than one copy, a gap below 1, a number of sets that is no
            multiple of the arms, or a gap that cannot be kept; the message names what would be feasible.
    """
    if copies < 1:
        raise InvalidInput(f"copies is {copies}: every patch must be read at least once; ask for 1 or more.")
    if min_gap < 1:
        raise InvalidInput(f"min_gap is {min_gap}: positions differ by at least 1; ask for 1 or more.")
    cases = cases_of(stimuli)
    for members in cases.values():
        check_sets(len(members), copies)
    feasible = largest_split_gap(stimuli, copies=copies, adjacent_sets=adjacent_sets)
    if feasible is not None and min_gap > feasible:
        raise InvalidInput(
            f"min_gap is {min_gap}, but with {len(cases)} patches, each once in every set, the largest feasible gap is "
            f"{feasible}; ask for {feasible} or less, add cases, or put a wash-out between the sets."
        )
    plan = Draws(round_seed)
    slots = _dealt(cases, kinds or {}, plan)
    orders = urn(len(slots), 1, copies, min_gap if feasible is not None else 1, adjacent_sets, plan)
    arms: list[list[int]] = [[-1] * copies for _ in slots]
    for size, members in _kinds_of(slots, cases, kinds or {}).items():
        _colour(arms, members, size[1], orders, plan)
    slots = _dealt_again(slots, arms, cases, kinds or {}, Draws(seed))
    ordered = {case: sorted(members, key=lambda index: (stimuli[index].arm, index)) for case, members in cases.items()}

    def shown(slot: int, number: int) -> int:
        stimuli_of_case = ordered[slots[slot]]
        return stimuli_of_case[(arms[slot][number] + turn) % len(stimuli_of_case)]

    sets = tuple(tuple(shown(slot, number) for slot in order) for number, order in enumerate(orders))
    return Schedule(sets=sets, min_gap=min_gap, seed=seed, adjacent_sets=adjacent_sets)


Kind = tuple[Hashable, int]
"""A sort of case, and its number of arms."""


def _kind(case: CaseId, cases: Mapping[CaseId, Sequence[int]], kinds: Mapping[CaseId, Hashable]) -> Kind:
    return kinds.get(case), len(cases[case])


def _kinds_of(
    slots: Sequence[CaseId], cases: Mapping[CaseId, Sequence[int]], kinds: Mapping[CaseId, Hashable]
) -> dict[Kind, list[int]]:
    """The slots of each kind. Cases are dealt within their kind, so that a slot's kind does not change."""
    found: dict[Kind, list[int]] = defaultdict(list)
    for slot, case in enumerate(slots):
        found[_kind(case, cases, kinds)].append(slot)
    return found


def _dealt(cases: Mapping[CaseId, Sequence[int]], kinds: Mapping[CaseId, Hashable], draws: Draws) -> list[CaseId]:
    """Each slot's case: a kind has as many slots as it has cases, and they are dealt at random."""
    by_kind: dict[Kind, list[CaseId]] = defaultdict(list)
    for case in cases:
        by_kind[_kind(case, cases, kinds)].append(case)
    return [case for members in by_kind.values() for case in draws.shuffled(members)]


def _dealt_again(
    slots: Sequence[CaseId],
    arms: Sequence[Sequence[int]],
    cases: Mapping[CaseId, Sequence[int]],
    kinds: Mapping[CaseId, Hashable],
    draws: Draws,
) -> list[CaseId]:
    """The cases of a kind that have the same arms in every set, dealt at random to each other's slots."""
    alike: dict[Hashable, list[int]] = defaultdict(list)
    for slot, case in enumerate(slots):
        alike[_kind(case, cases, kinds), tuple(arms[slot])].append(slot)
    result = list(slots)
    for members in alike.values():
        for slot, other in zip(members, draws.shuffled(members), strict=True):
            result[slot] = slots[other]
    return result


def _colour(
    arms: list[list[int]], members: Sequence[int], size: int, orders: Sequence[Sequence[int]], draws: Draws
) -> None:
    """Fill in ``arms[slot][set]`` for the slots ``members``, which have ``size`` arms each.

    In a cycle of ``size`` sets each slot has ``size`` places, and so does each group of places within a set (the last
    one of a set perhaps fewer). Colouring the graph of slots and groups gives both every colour once.
    """
    length, inside = len(orders[0]), set(members)
    for first in range(0, len(orders), size):
        groups: list[list[int]] = []
        for number in range(first, first + size):
            places = [number * length + p for p, slot in enumerate(orders[number]) if slot in inside]
            groups += groups_in_blocks(places, size, draws)
        edges = [
            (orders[place // length][place % length], group, place)
            for group, places in enumerate(groups)
            for place in places
        ]
        names = draws.shuffled(range(size))
        for place, colour in colour_edges(draws.shuffled(edges), size, draws).items():
            number, position = divmod(place, length)
            arms[orders[number][position]][number] = names[colour]
