"""The programs by which `simaie.testing.check_scheme` judges a scheme: of one vCPU for each instruction, and of two."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from typing import Any, NamedTuple

from simaie.guest.code import Ins, ins
from simaie.guest.forms import SPAWN, Form, forms_of, table_of, widths_of
from simaie.guest.program import Program
from simaie.host.pages import Page
from simaie.prng import Random, derive

__all__ = ["Asked", "X", "alone", "exits_and_starts_again", "faulting", "interrupted", "together"]

X = 0x100
#: A page that is mapped to itself, one that is absent, and one that cannot be written.
_PAGE = 0x1000
_ABSENT, _READ_ONLY = 0x2000, 0x3000
#: What memory holds at first: no two bytes are the same, so that a wrong one shows.
_PATTERN = 0x8877665544332211
_VCPUS = 2
#: Of a vCPU of a program that is explored to its end; a pair of load-linked and store-conditional is two.
_MOST = 3

_METHODS = {
    "load": "load",
    "acquire": "load",
    "store": "store",
    "release": "store",
    "load-linked": "load_linked",
    "store-conditional": "store_conditional",
    "clear": "clear_exclusive",
    "fence": "fence",
    "plain-rmw": "load and store",
}


class Asked(NamedTuple):
    """A program with what it asks of the scheme. method: the method of the scheme that is judged; kind: of `Form`."""

    program: Program
    method: str
    kind: str
    words: str


def alone(isa: str) -> Iterator[Asked]:
    """Yield every instruction with every width and operand on one vCPU, where only one thing can come of it.

    It is carried out twice, so that what the first has left behind, a lock perhaps, is in the way of the second.
    """
    for form, items in _items(isa):
        for initial in (_PATTERN, 1):
            code = [*_named(items, "first"), *_named(items, "second")]
            yield _asked(isa, form, items, [code], {X: (initial, 8)})


def interrupted(isa: str) -> Iterator[Asked]:
    """Yield an instruction of each mnemonic with an exception before, between and behind, and one not aligned."""
    for form, items in _items(isa, once=True):
        between = [each for item in _named(items, "first") for each in (ins("exception"), item)]
        code = [*between, ins("exception"), *_named(items, "second")]
        yield _asked(isa, form, items, [code], {X: (1, 8)})
        if form.widths and max(form.widths) > 1:
            moved = [_at(item, X + 1) for item in items]
            yield _asked(isa, form, moved, [_in_turn(moved, items)], {X: (1, 8)})


def faulting(isa: str) -> Iterator[Asked]:
    """Yield an instruction of each mnemonic on a page that is absent, and on one that cannot be written.

    The vCPU that faults ends; another then carries out the same on a page that is there. For full-system mode.
    """
    pages = {_PAGE: Page(_PAGE), _ABSENT: Page(_ABSENT, present=False), _READ_ONLY: Page(_READ_ONLY, writable=False)}
    for form, items in _items(isa, once=True):
        if not form.widths or (form.kind == "store-conditional" and len(items) == 1):
            continue  # without a reservation it need not fault
        for bad in (_ABSENT, _READ_ONLY):
            faults, works = ([_at(item, page) for item in items] for page in (bad, _PAGE))
            yield _asked(isa, form, faults, [_in_turn(faults, works)], {_PAGE: (1, 8)}, pages)


def exits_and_starts_again(isa: str) -> Iterator[Asked]:
    """Yield an instruction of each mnemonic in a thread that ends, and then in one that is started behind it."""
    for form, items in _items(isa, once=True):
        yield _asked(isa, form, items, [_in_turn(items, items)], {X: (1, 8)})._replace(method="thread_exit")


def _in_turn(*codes: Sequence[Ins]) -> Callable[[Any], Coroutine[Any, Any, None]]:
    """A guest that runs each of `codes` in a thread of its own, one after the other; results belong to the outcome."""

    async def parent(cpu: Any) -> None:
        for number, items in enumerate(codes):
            await cpu.join(await cpu.spawn(_child(number, items)))

    return parent


def _child(number: int, items: Sequence[Ins]) -> Callable[[Any], Coroutine[Any, Any, None]]:
    async def child(cpu: Any) -> None:
        for item in items:
            result = await getattr(cpu, item.name)(*item.args, **_options(item))
            if result is not None:
                cpu.observe(f"{number} {item.name}", result)

    return child


def together(isa: str, kinds: Collection[str], seed: int, count: int) -> Iterator[Asked]:
    """Yield `count` programs of two vCPUs, each with a few instructions of `kinds` on places that overlap."""
    for number in range(count):
        random = Random(derive(seed, number))
        widths = _few(random, widths_of(isa))
        chosen = _few(random, sorted(set(kinds) - {SPAWN}))
        table = table_of(isa, chosen, (X, X + 4)[: 1 + random.below(2)], widths) or table_of(isa, kinds, (X,), _ALL)
        threads = [_drawn(random, table) for _ in range(_VCPUS)]
        initial = {X: (random.choice((0, 1, _PATTERN)), 8)}
        program = Program(f"together {number}", isa=isa, threads=threads, init=initial, watch={X: 8})
        yield Asked(program, "", "", "; ".join(f"vCPU {i}: {_words(code)}" for i, code in enumerate(threads)))


_ALL = (1, 2, 4, 8, 16)


def _few(random: Random, choices: Sequence[int] | Sequence[str]) -> tuple:  # type: ignore[type-arg]  # of what it got
    """One to three of them."""
    left = list(choices)
    random.shuffle(left)
    return tuple(left[: 1 + random.below(3)])


def _drawn(random: Random, table: Sequence[tuple[Ins, ...]]) -> list[Ins]:
    code: list[Ins] = []
    wanted = 1 + random.below(_MOST)
    while len(code) < wanted:
        for item in random.choice(table):
            code += _named([item], f"r{len(code)}.")
    return code


# -- what is asked of one vCPU ---------------------------------------------------------------------------


def _items(isa: str, *, once: bool = False) -> Iterator[tuple[Form, tuple[Ins, ...]]]:
    """Every instruction of `isa` at X, or the first of each mnemonic; a store-conditional also behind its load-linked.

    The form is that of the last instruction.
    """
    forms = {form.mnemonic: form for form in forms_of(isa)}
    kinds = {form.kind for form in forms.values()}
    seen: set[tuple[str, ...]] = set()
    for items in table_of(isa, kinds, (X,), widths_of(isa)):
        names = tuple(item.name for item in items)
        if not (once and names in seen):
            seen.add(names)
            yield forms[names[-1]], items


def _asked(
    isa: str,
    form: Form,
    items: Sequence[Ins],
    codes: Sequence[Any],
    init: dict[int, tuple[int, int]],
    pages: dict[int, Page] | None = None,
) -> Asked:
    words = _words(items)
    (place,) = init
    watch = {place: 8, place + 8: 8}
    program = Program(words, isa=isa, threads=codes, init=init, watch=watch, pages=pages or {})
    method = _METHODS.get(form.kind) or ("cmpxchg" if form.operands > 1 else "atomic_rmw")
    return Asked(program, method, form.kind, words)


def _named(items: Sequence[Ins], name: str) -> list[Ins]:
    """The instructions with their results in registers of that name, which belong to the outcome."""
    return [
        item if item.into is None else ins(item.name, *item.args, into=f"{name}{number}", **_options(item))
        for number, item in enumerate(items)
    ]


def _at(item: Ins, address: int) -> Ins:
    return ins(item.name, address, *item.args[1:], into=item.into, **_options(item)) if item.args else item


def _options(item: Ins) -> dict[str, int | str]:
    return dict(item.options)


def _words(items: Sequence[Ins]) -> str:
    return ", ".join(map(str, items))
