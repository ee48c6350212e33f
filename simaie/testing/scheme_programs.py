"""The programs of the conformance suite of schemes: one vCPU for each instruction, and generated ones of two vCPUs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from typing import Any, NamedTuple

from simaie.guest.code import Ins, ins
from simaie.guest.form import Form
from simaie.guest.forms import SPAWN, forms_of, table_of, widths_of
from simaie.guest.program import Program
from simaie.host.pages import Page
from simaie.prng import Random, derive

__all__ = ["Asked", "X", "alone", "exits_and_starts_again", "faulting", "interrupted", "together"]

X = 0x100
#: A page that is mapped to itself, one that is absent, and one that cannot be written.
_PAGE = 0x1000
_ABSENT, _READ_ONLY = 0x2000, 0x3000
#: The initial value of memory, in which all bytes differ, so that a wrong byte is noticed.
_PATTERN = 0x8877665544332211
_VCPUS = 2
#: The number of instructions of a vCPU, in a program that is explored completely, from which on no more are added.
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
    """A program that tests one method of a scheme.

    Attributes:
        program: The program.
        method: The method of the scheme that it tests; empty for a generated program.
        kind: The kind of its instruction, as in `Form`.
        words: Its instructions in words.
    """

    program: Program
    method: str
    kind: str
    words: str


def alone(isa: str) -> Iterator[Asked]:
    """Yield a program for every instruction with every width and operand, on one vCPU, with only one correct outcome.

    The instruction runs twice, so that state that the first run leaves behind, such as a lock, disturbs the second.
    """
    for form, items in _items(isa):
        for initial in (_PATTERN, 1):
            code = [*_named(items, "first"), *_named(items, "second")]
            yield _asked(isa, form, items, [code], {X: (initial, 8)})


def interrupted(isa: str) -> Iterator[Asked]:
    """Yield a program for each mnemonic with exceptions around the instruction, and one with an unaligned address."""
    for form, items in _items(isa, once=True):
        between = [each for item in _named(items, "first") for each in (ins("exception"), item)]
        code = [*between, ins("exception"), *_named(items, "second")]
        yield _asked(isa, form, items, [code], {X: (1, 8)})
        if form.widths and max(form.widths) > 1:
            moved = [_at(item, X + 1) for item in items]
            yield _asked(isa, form, moved, [_in_turn(moved, items)], {X: (1, 8)})


def given_up(isa: str) -> Iterator[Asked]:
    """Yield a program for each store-conditional whose reservation the vCPU itself gave up after the load-linked."""
    clear = next((item for form, (item, *_) in _items(isa, once=True) if form.kind == "clear"), None)
    for form, items in _items(isa, once=True):
        if clear is not None and form.kind == "store-conditional" and len(items) > 1:
            code = (*items[:-1], clear, items[-1])
            asked = _asked(isa, form, code, [_named(code, "first")], {X: (1, 8)})
            yield asked._replace(method="clear_exclusive")


def faulting(isa: str) -> Iterator[Asked]:
    """Yield a program for each mnemonic on a page that is absent, and on a page that is read-only.

    The vCPU that faults ends. Another one then runs the same instruction on a page that is present. The programs are
    for full-system mode.
    """
    pages = {_PAGE: Page(_PAGE), _ABSENT: Page(_ABSENT, present=False), _READ_ONLY: Page(_READ_ONLY, writable=False)}
    for form, items in _items(isa, once=True):
        if not form.widths or (form.kind == "store-conditional" and len(items) == 1):
            continue  # a store-conditional without a reservation need not fault
        for bad in (_ABSENT, _READ_ONLY):
            faults, works = ([_at(item, page) for item in items] for page in (bad, _PAGE))
            yield _asked(isa, form, faults, [_in_turn(faults, works)], {_PAGE: (1, 8)}, pages)


def exits_and_starts_again(isa: str) -> Iterator[Asked]:
    """Yield a program for each mnemonic in which a thread runs the instruction and ends, and then another thread."""
    for form, items in _items(isa, once=True):
        yield _asked(isa, form, items, [_in_turn(items, items)], {X: (1, 8)})._replace(method="thread_exit")


def _in_turn(*codes: Sequence[Ins]) -> Callable[[Any], Coroutine[Any, Any, None]]:
    """Return a guest that runs each of `codes` in a new thread, one after the other, and observes the results."""

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
    """Yield `count` generated programs of two vCPUs, with a few instructions of `kinds` on overlapping places each."""
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
    """Draw one to three of `choices`."""
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


# -- programs of one vCPU --------------------------------------------------------------------------------


def _items(isa: str, *, once: bool = False) -> Iterator[tuple[Form, tuple[Ins, ...]]]:
    """Yield every instruction of `isa` at X, or the first of each mnemonic, with the form of the last instruction.

    A store-conditional is also yielded after its load-linked.
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
    """Return the instructions with their results in registers of this name, which belong to the outcome."""
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
