"""What a scheme's method must return, and the error that names the method that returned something else."""

from __future__ import annotations

import pytest
from runs import X, execute, program, small

from simaie.errors import SchemeError
from simaie.schemes.native import Native


async def loading(cpu):
    await cpu.load(X)


async def storing(cpu):
    await cpu.store(X, 1)


async def adding(cpu):
    await cpu.lock_add(X, 1)


async def adding_unlocked(cpu):
    await cpu.add(X, 1)


async def vector_storing(cpu):
    await cpu.movups(X, 1)


async def comparing(cpu):
    await cpu.lock_cmpxchg(X, 0, 1)


async def waiting(cpu):
    await cpu.wait_until(X, lambda value: value == 0)


async def linking(cpu):
    await cpu.ldrex(X)


async def conditional(cpu):
    await cpu.ldrex(X)
    await cpu.strex(X, 1)


async def conditional_of_aarch64(cpu):
    await cpu.ldxr(X)
    await cpu.stxr(X, 1)


def returning(method, result):
    """The native scheme with a `method` that performs one operation and returns `result`."""

    async def replaced(self, cpu, *args):
        await self.host.fence()
        return result

    return type("Wrong", (Native,), {method: replaced})


NUMBERS = ("7", None, True, 1.0, -1, 1 << 32)


@pytest.mark.parametrize(
    ("isa", "guest", "method", "results"),
    [
        ("x86", loading, "load", NUMBERS),
        ("x86", storing, "store", (0, True, "done")),
        ("x86", adding, "atomic_rmw", NUMBERS),
        ("x86", adding_unlocked, "load", NUMBERS),
        ("x86", adding_unlocked, "store", (0, True)),
        ("x86", vector_storing, "store", (0, True)),
        ("x86", comparing, "cmpxchg", NUMBERS),
        ("x86", waiting, "wait", NUMBERS),
        ("arm", linking, "load_linked", NUMBERS),
        ("arm", conditional, "store_conditional", (None, 0, 1, "yes")),
        ("aarch64", conditional_of_aarch64, "store_conditional", (None, 0, 1)),
    ],
)
def test_a_result_of_the_wrong_type_names_the_method(isa, guest, method, results):
    for result in results:
        with pytest.raises(SchemeError) as caught:
            execute(program(isa, guest), small(returning(method, result)))
        assert f"Wrong.{method} returned {result!r}" in str(caught.value)


@pytest.mark.parametrize(
    ("isa", "guest", "method"), [("x86", loading, "load"), ("arm", conditional, "store_conditional")]
)
def test_a_method_that_returns_nothing_to_await_is_named_too(isa, guest, method):
    scheme = type("Wrong", (Native,), {method: lambda *_: 5})
    with pytest.raises(SchemeError) as caught:
        execute(program(isa, guest), small(scheme))
    assert f"Wrong.{method} returned 5" in str(caught.value)


def test_a_type_error_inside_a_method_stays_one():
    async def load(self, cpu, address, width):
        return None + 1

    with pytest.raises(Exception, match="TypeError"):
        execute(program("x86", loading), small(type("Wrong", (Native,), {"load": load})))
