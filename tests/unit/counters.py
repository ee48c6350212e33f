"""Places where Python code can keep a count: each as a function that makes a fresh counter, which counts up by one.

``COUNTERS[name](cpu)`` returns ``bump``, and the n-th call of ``bump()`` returns n.
"""

from __future__ import annotations

import array
import collections
import contextvars
import ctypes
import enum
import functools
import io
import itertools
import operator
import queue
import random
import sys
import threading
import types
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

COUNTERS: dict[str, Callable[[Any], Callable[[], int]]] = {}
_in_module = 0
_list_of_module: list[int] = []
_context: contextvars.ContextVar[int] = contextvars.ContextVar("rounds", default=0)


def counter(make: Callable[[Any], Callable[[], int]]) -> Callable[[Any], Callable[[], int]]:
    COUNTERS[make.__name__] = make
    return make


@counter
def nonlocal_variable(cpu):
    rounds = 0

    def bump():
        nonlocal rounds
        rounds += 1
        return rounds

    return bump


@counter
def global_variable(cpu):
    global _in_module
    _in_module = 0

    def bump():
        global _in_module
        _in_module += 1
        return _in_module

    return bump


@counter
def closure_over_a_module_global(cpu):
    _list_of_module.clear()

    def bump():
        _list_of_module.append(0)
        return len(_list_of_module)

    return bump


@counter
def attribute_of_another_module(cpu):
    module = types.ModuleType("elsewhere")
    module.rounds = 0

    def bump():
        module.rounds += 1
        return module.rounds

    return bump


@counter
def computed_attribute_of_a_module(cpu):
    module = types.ModuleType("elsewhere")

    def bump():
        name = "rou" + "nds"[:3]
        setattr(module, name, getattr(module, name, 0) + 1)
        return getattr(module, name)

    return bump


@counter
def module_that_a_helper_is_given(cpu):
    module = types.ModuleType("elsewhere")
    module.rounds = 0

    def add(where):
        where.rounds += 1
        return where.rounds

    return lambda: add(module)


@counter
def default_argument(cpu):
    def bump(rounds=[]):  # noqa: B006 - a mutable default is what this is about
        rounds.append(0)
        return len(rounds)

    return bump


@counter
def keyword_default(cpu):
    def bump(*, rounds={"n": 0}):  # noqa: B006 - as above
        rounds["n"] += 1
        return rounds["n"]

    return bump


@counter
def attribute_of_a_function(cpu):
    def bump():
        bump.rounds += 1
        return bump.rounds

    bump.rounds = 0
    return bump


@counter
def attribute_of_the_vcpu(cpu):
    cpu.rounds = 0

    def bump():
        cpu.rounds += 1
        return cpu.rounds

    return bump


@counter
def computed_attribute_of_the_vcpu(cpu):
    def bump():
        setattr(cpu, "rounds", getattr(cpu, "rounds", 0) + 1)  # noqa: B010 - by name on purpose
        return cpu.rounds

    return bump


@counter
def instructions_of_the_vcpu(cpu):
    begun = cpu.instructions_begun
    return lambda: (cpu.instructions_begun - begun) // cpu.instructions_a_round


@counter
def attribute_of_the_class_of_the_vcpu(cpu):
    type(cpu).rounds_of_class = 0

    def bump():
        type(cpu).rounds_of_class += 1
        return type(cpu).rounds_of_class

    return bump


@counter
def computed_attribute_of_the_class_of_the_vcpu(cpu):
    setattr(type(cpu), "-".join("ab"), 0)

    def bump():
        name = "-".join("ab")
        setattr(type(cpu), name, getattr(type(cpu), name) + 1)
        return getattr(type(cpu), name)

    return bump


@counter
def class_variable(cpu):
    class Rounds:
        number: ClassVar[int] = 0

    def bump():
        Rounds.number += 1
        return Rounds.number

    return bump


@counter
def class_variable_of_a_base(cpu):
    class Base:
        numbers: ClassVar[list[int]] = []

    class Rounds(Base):
        pass

    rounds = Rounds()

    def bump():
        rounds.numbers.append(0)
        return len(rounds.numbers)

    return bump


@counter
def instance_attribute(cpu):
    class Rounds:
        def __init__(self):
            self.number = 0

        def bump(self):
            self.number += 1
            return self.number

    return Rounds().bump


@counter
def private_slot(cpu):
    class Rounds:
        __slots__ = ("__number",)

        def __init__(self):
            self.__number = 0

        def bump(self):
            self.__number += 1
            return self.__number

    return Rounds().bump


@counter
def slot_that_the_class_does_not_list(cpu):
    class Rounds:
        __slots__ = ("number",)

    rounds, slot = Rounds(), Rounds.number
    rounds.number = 0
    del Rounds.number

    def bump():
        slot.__set__(rounds, slot.__get__(rounds) + 1)
        return slot.__get__(rounds)

    return bump


@counter
def data_class(cpu):
    @dataclass
    class Rounds:
        number: int = 0

    rounds = Rounds()

    def bump():
        rounds.number += 1
        return rounds.number

    return bump


@counter
def struct(cpu):
    class Rounds(msgspec.Struct):
        number: int = 0

    rounds = Rounds()

    def bump():
        rounds.number += 1
        return rounds.number

    return bump


@counter
def namespace(cpu):
    rounds = types.SimpleNamespace(number=0)

    def bump():
        rounds.number += 1
        return rounds.number

    return bump


@counter
def enum_member(cpu):
    class Rounds(enum.Enum):
        ONLY = 1

    Rounds.ONLY.number = 0

    def bump():
        Rounds.ONLY.number += 1
        return Rounds.ONLY.number

    return bump


@counter
def list_in_a_tuple_in_a_dict(cpu):
    rounds = {"a": ([],)}

    def bump():
        rounds["a"][0].append(0)
        return len(rounds["a"][0])

    return bump


@counter
def list_subclass_with_private_state(cpu):
    class Rounds(list):
        __hidden = 0

        def bump(self):
            self.__hidden += 1
            return self.__hidden

    return Rounds().bump


@counter
def list_subclass_that_lies_about_its_items(cpu):
    class Rounds(list):
        def __iter__(self):
            return iter(())

        def __len__(self):
            return 0

    rounds = Rounds()

    def bump():
        rounds.append(0)
        return list.__len__(rounds)

    return bump


@counter
def dict_subclass(cpu):
    rounds = collections.Counter()

    def bump():
        rounds["n"] += 1
        return rounds["n"]

    return bump


@counter
def default_dict(cpu):
    rounds = collections.defaultdict(int)

    def bump():
        rounds["n"] += 1
        return rounds["n"]

    return bump


@counter
def ordered_dict(cpu):
    rounds = collections.OrderedDict.fromkeys("abcd")

    def bump():
        rounds.move_to_end("a" if next(iter(rounds)) == "a" else "b" if next(iter(rounds)) == "b" else "c")
        return {"b": 1, "c": 2, "d": 3}[next(iter(rounds))]

    return bump


@counter
def aliases(cpu):
    """Which of four equal lists a name stands for."""
    lists = [[], [], [], []]
    now = lists[0]

    def bump():
        nonlocal now
        number = next(index for index, one in enumerate(lists) if one is now)
        now = lists[number + 1]
        return number + 1

    return bump


@counter
def bytes_of_a_bytearray(cpu):
    rounds = bytearray(1)

    def bump():
        rounds[0] += 1
        return rounds[0]

    return bump


@counter
def array_of_numbers(cpu):
    rounds = array.array("i", [0])

    def bump():
        rounds[0] += 1
        return rounds[0]

    return bump


@counter
def memory_view(cpu):
    rounds = memoryview(bytearray(1))

    def bump():
        rounds[0] += 1
        return rounds[0]

    return bump


@counter
def buffer_of_bytes(cpu):
    rounds = io.BytesIO()

    def bump():
        rounds.write(b"x")
        return rounds.tell()

    return bump


@counter
def c_integer(cpu):
    rounds = ctypes.c_int(0)

    def bump():
        rounds.value += 1
        return rounds.value

    return bump


@counter
def context_variable(cpu):
    _context.set(0)

    def bump():
        _context.set(_context.get() + 1)
        return _context.get()

    return bump


@counter
def thread_local(cpu):
    rounds = threading.local()
    rounds.number = 0

    def bump():
        rounds.number += 1
        return rounds.number

    return bump


@counter
def queue_of_python(cpu):
    rounds = queue.Queue()

    def bump():
        rounds.put(0)
        return rounds.qsize()

    return bump


@counter
def simple_queue(cpu):
    rounds = queue.SimpleQueue()

    def bump():
        rounds.put(0)
        return rounds.qsize()

    return bump


@counter
def counting_iterator(cpu):
    rounds = itertools.count(1)
    return lambda: next(rounds)


@counter
def cycling_iterator(cpu):
    rounds = itertools.cycle([1, 2, 3])
    return functools.partial(next, rounds)


@counter
def method_of_an_iterator(cpu):
    return iter([1, 2, 3]).__next__


@counter
def shared_iterators(cpu):
    rounds = iter(range(1, 9))
    pairs = zip(rounds, [0] * 8, strict=False)
    return lambda: next(pairs)[0]


@counter
def tee(cpu):
    rounds, _ = itertools.tee(range(1, 9))
    return lambda: next(rounds)


@counter
def mapped_iterator(cpu):
    rounds = map(operator.neg, iter([-1, -2, -3]))
    return lambda: next(rounds)


@counter
def iterator_of_a_dict(cpu):
    rounds = iter({1: 0, 2: 0, 3: 0})
    return lambda: next(rounds)


@counter
def iterator_with_a_sentinel(cpu):
    rounds = []

    def step():
        rounds.append(0)
        return len(rounds)

    numbers = iter(step, 0)
    return lambda: next(numbers)


@counter
def generator(cpu):
    def numbers():
        rounds = 0
        while True:
            rounds += 1
            yield rounds

    return numbers().__next__


@counter
def async_generator(cpu):
    async def numbers():
        rounds = 0
        while True:
            rounds += 1
            yield rounds

    counted = numbers()

    def bump():
        try:
            counted.__anext__().send(None)
        except StopIteration as stop:
            return stop.value

    return bump


@counter
def random_generator(cpu):
    rounds = random.Random(1)
    known = random.Random(1)
    numbers = [known.random() for _ in range(4)]
    return lambda: numbers.index(rounds.random()) + 1


@counter
def weak_reference(cpu):
    class Rounds:
        number = 0

    kept.append(Rounds())
    rounds = weakref.ref(kept[-1])

    def bump():
        rounds().number += 1
        return rounds().number

    return bump


kept: list[Any] = []


@counter
def cached_function(cpu):
    @functools.lru_cache
    def known(number):
        return number

    def bump():
        known(known.cache_info().currsize)
        return known.cache_info().currsize

    return bump


@counter
def property_of_an_object(cpu):
    numbers = []

    class Rounds:
        @property
        def number(self):
            numbers.append(0)
            return len(numbers)

    rounds = Rounds()
    return lambda: rounds.number


@counter
def callable_object(cpu):
    class Rounds:
        def __init__(self):
            self.calls = []

        def __call__(self):
            self.calls.append(0)
            return len(self.calls)

    return Rounds()


@counter
def frame_of_a_caller(cpu):
    def numbers():
        rounds = 0
        while True:
            rounds += 1
            yield rounds

    running = numbers()

    def bump():
        next(running)
        return running.gi_frame.f_locals["rounds"]

    return bump


@counter
def state_of_the_interpreter(cpu):
    before = sys.getrecursionlimit()

    def bump():
        sys.setrecursionlimit(sys.getrecursionlimit() + 1)
        number = sys.getrecursionlimit() - before
        if number == 3:
            sys.setrecursionlimit(before)
        return number

    return bump


@counter
def deque_that_forgets(cpu):
    rounds = collections.deque([0, 0], maxlen=2)

    def bump():
        rounds.append(rounds[-1] + 1)
        return rounds[-1]

    return bump


@counter
def sign_of_a_zero(cpu):
    rounds = [0.0]

    def bump():
        if str(rounds[0]) == "0.0":
            rounds[0] = -0.0
            return 1
        rounds[0] = rounds[0] + 1 if str(rounds[0]) != "-0.0" else 1.0
        return int(rounds[0]) + 1

    return bump
