"""The order in which a reader sees the stimuli: constructed, not shuffled and repaired.

Words: a *case* is a patch, a *stimulus* a case in one arm, a *set* one reading of every stimulus (a *copy* of it),
and the *gap* of two presentations the difference of their positions. ``N`` is the number of stimuli, ``K`` the largest
number of stimuli of one case. Every schedule has these properties; the proofs are in
``docs/decisions/0008-how-a-schedule-is-constructed.md``:

1. **Gap.** Two stimuli of one case are at least ``min_gap`` positions apart, within a set and, where one set follows
   the other directly, across their boundary.
2. **Blindness of position.** Over the seeds, every stimulus is at every position of every set with probability
   exactly ``1/N``. So the arm, the truth and the patch are independent of the position, and which arm of a patch
   comes first is a fair draw. This costs some gap: ``K`` stimuli that are each uniform on ``N`` positions, at most
   one of them in any window of ``g``, need ``g K / N <= 1``; the largest feasible gap is ``N // K``, and it is reached.
3. **Balance.** Per kind of case, the arms are balanced in consecutive blocks of 4 to 6 times the number of arms,
   at random inside a block: counts stay close along the session and nothing alternates.

The construction has three steps. (a) *Bundles*: cases with fewer than ``K`` stimuli are joined into bundles of exactly
``K``, so that a set is ``K`` rounds of ``L`` bundles. (b) *Urn*: a round is drawn from the round before it by drawing,
at each position, evenly from an urn that a bundle enters once its gap has passed; the urn is never empty, and every
order that keeps the gap is equally likely. (c) *Arms*: the places of the bundles are coloured with the arms (König's
edge colouring), each bundle having every colour once and each block every colour equally often.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from core.errors import InvalidInput
from study.design.draws import Draws, Seed

GROUPS_PER_BLOCK = (4, 5, 6)
"""A block holds each arm of its kind of case this often. Blocks of one or two would alternate and give the arm away."""


class StimulusKey(NamedTuple):
    """What the schedule needs to know of a stimulus: its case (patch) and its arm."""

    case_id: str | int
    arm: str


@dataclass(frozen=True)
class Schedule:
    """One reader's orders: ``sets[s][p]`` is the index of the stimulus at position ``p`` of set ``s``, both from 0."""

    sets: tuple[tuple[int, ...], ...]
    min_gap: int
    seed: Seed
    adjacent_sets: bool = True


@dataclass(frozen=True)
class _Unit:
    """What the urn moves about: stimuli that keep the gap from each other (a case, or several small cases bundled)."""

    stimuli: tuple[int, ...]
    arms: tuple[str, ...]


def largest_gap(stimuli: Sequence[StimulusKey], *, copies: int, adjacent_sets: bool = True) -> int | None:
    """The largest feasible gap, ``N // K``; ``None`` if no case recurs within adjacent sets, so that any gap holds."""
    cases = cases_of(stimuli)
    most = max(len(members) for members in cases.values())
    if most == 1 and (copies == 1 or not adjacent_sets):
        return None
    return len(stimuli) // most


def build_schedule(
    stimuli: Sequence[StimulusKey], *, copies: int, min_gap: int, seed: Seed, adjacent_sets: bool = True
) -> Schedule:
    """Draw one reader's schedule.

    Args:
        stimuli: the N stimuli of the study; their order gives the indices of the result.
        copies: number of sets, each showing every stimulus once.
        min_gap: smallest allowed difference of positions between two stimuli of one case (1 allows neighbours).
        seed: any whole number, or a secret key; the same seed gives the same schedule on every machine and Python
            (see ``draws``).
        adjacent_sets: whether one set may follow the other without a pause, so that the gap must hold across
            their boundary. With a wash-out between the sets it need not.

    Raises:
        InvalidInput: no stimuli, a stimulus twice, fewer than one copy, a gap below 1, or a gap that cannot be kept;
            the
            message then names the largest feasible one.
    """
    if copies < 1:
        raise InvalidInput(f"copies is {copies}: every stimulus must be read at least once; ask for 1 or more.")
    if min_gap < 1:
        raise InvalidInput(f"min_gap is {min_gap}: positions differ by at least 1; ask for 1 or more.")
    cases = cases_of(stimuli)
    most = max(len(members) for members in cases.values())
    feasible = largest_gap(stimuli, copies=copies, adjacent_sets=adjacent_sets)
    if feasible is not None and min_gap > feasible:
        raise InvalidInput(
            f"min_gap is {min_gap}, but with {len(stimuli)} stimuli and up to {most} of one case the largest feasible "
            f"gap is {feasible}; ask for {feasible} or less, or add cases."
        )
    gap = min_gap if feasible is not None else 1
    draws = Draws(seed)
    bundles, spare = _bundle(stimuli, cases, draws)
    if gap <= len(bundles):
        units = bundles + spare
        orders = urn(len(bundles), most, copies, gap, adjacent_sets, draws)
        for number, unit in enumerate(spare, start=len(bundles)):
            orders = _insert(orders, number, len(unit.stimuli), gap, draws)
    else:
        units = [_unit(stimuli, members) for members in cases.values()]
        orders = _ring(units, copies, draws)
    sets = tuple(tuple(_place_arms(order, units, draws)) for order in orders)
    return Schedule(sets=sets, min_gap=min_gap, seed=seed, adjacent_sets=adjacent_sets)


def smallest_gap(schedule: Schedule, stimuli: Sequence[StimulusKey]) -> int | None:
    """The smallest gap the schedule really has (across the boundaries of adjacent sets); ``None`` if no case recurs."""
    smallest: int | None = None
    last: dict[str | int, int] = {}
    for number, order in enumerate(schedule.sets):
        if not schedule.adjacent_sets:
            last = {}
        for position, index in enumerate(order, start=number * len(order)):
            case = stimuli[index].case_id
            if case in last and (smallest is None or position - last[case] < smallest):
                smallest = position - last[case]
            last[case] = position
    return smallest


def cases_of(stimuli: Sequence[StimulusKey]) -> dict[str | int, list[int]]:
    """Indices of the stimuli of each case, in the order of the list."""
    if not stimuli:
        raise InvalidInput("There are no stimuli to schedule; add cases to the study first.")
    cases: dict[str | int, list[int]] = defaultdict(list)
    seen: dict[StimulusKey, int] = {}
    for index, stimulus in enumerate(stimuli):
        key = StimulusKey(*stimulus)
        if key in seen:
            raise InvalidInput(
                f"stimuli {seen[key]} and {index} are both case {key.case_id!r} in arm {key.arm!r}; remove one "
                f"(a second reading is a copy, not a second stimulus)."
            )
        seen[key] = index
        cases[key.case_id].append(index)
    return cases


def _unit(stimuli: Sequence[StimulusKey], members: Sequence[int]) -> _Unit:
    ordered = sorted(members, key=lambda index: (stimuli[index].arm, index))
    return _Unit(tuple(ordered), tuple(stimuli[index].arm for index in ordered))


def _bundle(
    stimuli: Sequence[StimulusKey], cases: dict[str | int, list[int]], draws: Draws
) -> tuple[list[_Unit], list[_Unit]]:
    """Units of exactly K stimuli each, and the cases (fewer than K stimuli) that fill no such unit.

    The largest remaining case is completed by the largest that still fit, which cases being drawn at random.
    """
    most = max(len(members) for members in cases.values())
    by_size: dict[int, list[list[int]]] = defaultdict(list)
    for members in draws.shuffled(list(cases.values())):
        by_size[len(members)].append(members)
    full = [_unit(stimuli, members) for members in by_size.pop(most)]
    spare = []
    for size in sorted(by_size, reverse=True):
        while by_size[size]:
            members = by_size[size].pop()
            sizes = _sizes_that_sum(most - size, {s: len(rest) for s, rest in by_size.items() if rest})
            if sizes is None:
                spare.append(_unit(stimuli, members))
                continue
            joined = list(members)
            for other in sizes:
                joined += by_size[other].pop()
            full.append(_unit(stimuli, joined))
    return full, spare


def _sizes_that_sum(total: int, available: dict[int, int]) -> list[int] | None:
    """Sizes, largest first and no more of each than available, that add up to ``total``; ``None`` if there are none."""
    if total == 0:
        return []
    for size in sorted((s for s, count in available.items() if count and s <= total), reverse=True):
        rest = _sizes_that_sum(total - size, {**available, size: available[size] - 1})
        if rest is not None:
            return [size, *rest]
    return None


def urn(length: int, rounds: int, copies: int, gap: int, adjacent_sets: bool, draws: Draws) -> list[list[int]]:
    """Per set, ``rounds`` rounds of the units ``0..length-1`` one after the other; ``gap <= length``.

    A unit at place i of a round may take place j of the next if ``length + j - i >= gap``. At place j the urn therefore
    holds the units from places ``i <= j + length - gap`` that have not been drawn. There are always
    ``min(length - gap + 1, length - j)`` of them, whatever was drawn before, so that drawing evenly makes every allowed
    order equally likely.
    """
    slack = length - gap
    orders: list[list[int]] = []
    current: list[int] = []
    for _ in range(copies):
        order: list[int] = []
        for number in range(rounds):
            if not current or (number == 0 and not adjacent_sets):
                current = draws.shuffled(range(length))
            else:
                urn, waiting = current[: slack + 1], current[slack + 1 :]
                current = []
                for place in range(length):
                    current.append(draws.take(urn))
                    if place < len(waiting):
                        urn.append(waiting[place])
            order += current
        orders.append(order)
    return orders


def _insert(orders: list[list[int]], unit: int, size: int, gap: int, draws: Draws) -> list[list[int]]:
    """Insert ``size`` presentations of a spare unit into every set; the gaps of all others can only grow.

    Their homes are spread evenly over the set from a random start, the same in every set. From its home a presentation
    moves at random by up to half of the room that the gap leaves, or stays where that would lead out of the set: a
    doubly stochastic move, so that the place stays uniform.
    """
    length = len(orders[0]) + size
    spacing = length // size
    room = (spacing - gap) // 2
    start = draws.below(length)
    homes = [(start + (number * length) // size) % length for number in range(size)]
    result = []
    for order in orders:
        places = set()
        for home in homes:
            place = home + draws.below(2 * room + 1) - room
            places.add(place if 0 <= place < length else home)
        others = iter(order)
        result.append([unit if place in places else next(others) for place in range(length)])
    return result


def _ring(units: list[_Unit], copies: int, draws: Draws) -> list[list[int]]:
    """The tightest order: all stimuli on a ring of N places with gap ``N // K``, cut open at a random place.

    K frames of ``N // K`` places, or one more. The stimuli are dealt to the frames in turn, case by case, those with K
    stimuli first: a case's stimuli lie in different frames, in the same row or, for smaller cases, the next. The rows
    of the full cases are mixed at random among the other rows. Used only where bundles cannot reach the asked gap;
    then the order of the patches repeats from set to set and only the arms are drawn anew.
    """
    frames = max(len(unit.stimuli) for unit in units)
    numbers = draws.shuffled(range(len(units)))
    full = [number for number in numbers if len(units[number].stimuli) == frames]
    dealt = [n for n in numbers if n not in set(full) for _ in units[n].stimuli]
    rows = [[number] * frames for number in full]
    partial = [dealt[first : first + frames] for first in range(0, len(dealt), frames)]
    kinds = draws.shuffled([True] * len(rows) + [False] * len(partial))
    mixed = [(rows if is_full else partial).pop(0) for is_full in kinds]
    ring = [row[frame] for frame in range(frames) for row in mixed if frame < len(row)]
    start = draws.below(len(ring))
    return [ring[start:] + ring[:start] for _ in range(copies)]


def _place_arms(order: list[int], units: list[_Unit], draws: Draws) -> list[int]:
    """Turn an order of units into one of stimuli: each unit shows each of its stimuli once, arms balanced in blocks.

    Units with the same arms are one kind. A kind's presentations, in the order of the session, are cut into blocks of
    4 to 6 groups, a group being one presentation per arm drawn at random from the block; colouring the graph that joins
    units to groups gives every unit and every group each arm once.
    """
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, unit in enumerate(order):
        places[units[unit].arms].append(place)
    result = [-1] * len(order)
    for arms, kind in places.items():
        colours = len(arms)
        groups = groups_in_blocks(kind, colours, draws)
        edges = [(order[place], group, place) for group, members in enumerate(groups) for place in members]
        names = draws.shuffled(range(colours))
        for place, colour in colour_edges(draws.shuffled(edges), colours, draws).items():
            result[place] = units[order[place]].stimuli[names[colour]]
    return result


def groups_in_blocks(places: Sequence[int], size: int, draws: Draws) -> list[list[int]]:
    """Cut places, in the order of the session, into blocks of 4 to 6 groups of ``size``, drawn at random in a block.

    The very last group is smaller where the places do not divide evenly.
    """
    groups: list[list[int]] = []
    first = 0
    while first < len(places):
        block = list(places[first : first + size * draws.choice(GROUPS_PER_BLOCK)])
        first += len(block)
        block = draws.shuffled(block)
        groups += [block[at : at + size] for at in range(0, len(block), size)]
    return groups


def colour_edges(edges: list[tuple[int, int, int]], colours: int, draws: Draws) -> dict[int, int]:
    """König: colour the edges ``(unit, group, place)`` of a bipartite multigraph; ``{place: colour}``.

    No unit and no group may have more edges than there are colours; none gets a colour twice.

    An edge takes a colour that is free at both ends. If there is none, a is free at the unit and b at the group: the
    path of alternating colours a and b that begins at the group is exchanged. In a bipartite graph it cannot end at
    the unit, so that a becomes free at both ends.
    """
    at: list[dict[int, dict[int, tuple[int, int, int]]]] = [defaultdict(dict), defaultdict(dict)]  # side, node, colour
    for edge in edges:
        unit, group, _ = edge
        free_unit = [c for c in range(colours) if c not in at[0][unit]]
        free_group = [c for c in range(colours) if c not in at[1][group]]
        both = [c for c in free_unit if c in free_group]
        if both:
            colour = draws.choice(both)
        else:
            colour, other = draws.choice(free_unit), draws.choice(free_group)
            _exchange(at, group, colour, other)
        at[0][unit][colour] = at[1][group][colour] = edge
    return {place: colour for by_colour in at[0].values() for colour, (_, _, place) in by_colour.items()}


def _exchange(at: list[dict[int, dict[int, tuple[int, int, int]]]], group: int, first: int, second: int) -> None:
    """Exchange the two colours on the path that leaves ``group`` by colour ``first``, which is then free there."""
    path = []
    side, node, colour = 1, group, first
    while colour in at[side][node]:
        edge = at[side][node][colour]
        path.append((edge, colour))
        side, node = 1 - side, edge[1 - side]
        colour = second if colour == first else first
    for edge, colour in path:
        for side in (0, 1):
            if at[side][edge[side]].get(colour) == edge:
                del at[side][edge[side]][colour]
    for edge, colour in path:
        for side in (0, 1):
            at[side][edge[side]][second if colour == first else first] = edge
