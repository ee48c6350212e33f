"""What must have occurred in an execution before a checker can find anything.

An execution is summarised by bits: the kinds of its operations, the kinds of access of its guest instructions, how it
ended, what its scheme promises, and what else checkers look for. The engine notes these bits while vCPUs run for the
first time, so that they cost nothing later (`simaie.engine.memo`). `NEEDS` says of a checker which of them it needs. An
execution in which they did not occur has no finding of this checker, so that the checker is not asked. Some bits are
what a monitor watches for (`simaie.engine.memo.monitors`); a checker that needs them is covered by this monitor.

The bits of an execution in which nothing was noted are `ANYTHING`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from simaie.check.entries import one_entry_per_granule, registered_by_atomics
from simaie.check.guest import final_check, guest_fault
from simaie.check.invariants import host_operations, unguarded_update
from simaie.check.llsc import LLSC_ARCHITECTURAL, LLSC_STRICT, LLSC_VALUE
from simaie.check.locks import lock_leak, locks_per_vcpu
from simaie.check.progress import progress
from simaie.check.results import instruction_results
from simaie.check.rmw import rmw_atomicity
from simaie.check.serializability import atomic_blocks
from simaie.check.single_copy import single_copy_atomicity, single_copy_avx, single_copy_lpae, single_copy_lse2
from simaie.check.starvation import starvation
from simaie.dependence import STOPS_WORLD
from simaie.op import Kind, Op
from simaie.protocols import Checker, Promise
from simaie.trace import STUCK, AccessKind, Ending, Instruction

__all__ = [
    "ANYTHING",
    "BLOCK",
    "FAULT",
    "GOAL",
    "INTRUDED",
    "KEPT_LOCK",
    "NEEDS",
    "OPEN",
    "REFUSED",
    "SECOND_LOCK",
    "STRAY",
    "SUSPECT",
    "TWINS",
    "UNGUARDED",
    "UNPROVED",
    "access_bit",
    "can_find",
    "ending_bit",
    "ignores_order",
    "is_direct",
    "kind_bit",
    "promise_bits",
    "step_bits",
]

#: Everything may have occurred.
ANYTHING = -1

_ACCESSES, _ENDINGS, _PROMISES, _OTHERS = 32, 48, 64, 80  # the first bit of each group; that of the kinds is 0
#: A guest instruction whose result, or what it left, is not certainly right by its own operations.
UNPROVED = 1 << _OTHERS
#: An atomic instruction or a store-conditional that its own steps do not show to be right.
SUSPECT = 2 << _OTHERS
#: An access to RAM that is narrower than its instruction.
_SPLIT = 4 << _OTHERS
#: An entry published by an instruction that does not use its granule atomically.
STRAY = 8 << _OTHERS
#: A host atomic on RAM.
_RAM_ATOMIC = 16 << _OTHERS
#: A mutex that a vCPU held when an instruction of it had ended.
KEPT_LOCK = 32 << _OTHERS
#: A mutex that a vCPU took while it held one.
SECOND_LOCK = 64 << _OTHERS
#: An atomic block or a call of an object.
BLOCK = 128 << _OTHERS
#: A fault or a failed assertion that ended a vCPU.
FAULT = 256 << _OTHERS
#: A final state that the program's final check refused.
REFUSED = 512 << _OTHERS
#: An update of a cell by a vCPU that does not hold the mutex of the cell.
UNGUARDED = 1024 << _OTHERS
#: A write of another vCPU where none may come: between a read and the write that rests on it, or between a load-linked
#: and its store-conditional.
INTRUDED = 2048 << _OTHERS
#: Two mutexes of one granule that were locked.
TWINS = 4096 << _OTHERS
#: A goal that a vCPU reached (see `simaie.guest.goals`); no checker needs it.
GOAL = 8192 << _OTHERS
#: What a vCPU's own steps leave open. The steps of all vCPUs may show that it did not occur.
OPEN = INTRUDED | TWINS

_ATOMICS = frozenset({
    Kind.CAS, Kind.EXCHANGE, Kind.FETCH, Kind.LOAD_LINKED, Kind.STORE_CONDITIONAL, Kind.CLEAR_RESERVATION,
})  # fmt: skip
_PLACE_OF_ACCESS = {access: number for number, access in enumerate(AccessKind)}
_PLACE_OF_ENDING = {ending: number for number, ending in enumerate(Ending)}
_PLACE_OF_PROMISE = {promise.value: number for number, promise in enumerate(Promise)}


def kind_bit(*kinds: Kind) -> int:
    """Return the bits of kinds of operations."""
    return sum(1 << kind for kind in frozenset(kinds))


def access_bit(access: AccessKind) -> int:
    """Return the bit of a kind of access."""
    return 1 << _ACCESSES + _PLACE_OF_ACCESS[access]


def ending_bit(*endings: Ending) -> int:
    """Return the bits of endings."""
    return sum(1 << _ENDINGS + _PLACE_OF_ENDING[ending] for ending in frozenset(endings))


def promise_bits(promises: Iterable[str]) -> int:
    """Return the bits of what a scheme promises; of promises that checkers know."""
    return sum(1 << _PROMISES + _PLACE_OF_PROMISE[name] for name in frozenset(promises) if name in _PLACE_OF_PROMISE)


def step_bits(op: Op, instruction: Instruction | None) -> int:
    """Return the bits of one step of a vCPU.

    Args:
        op: The operation.
        instruction: The guest instruction to which it belongs, if any.
    """
    bits = 1 << op.kind
    if op.cell is None:
        bits |= _RAM_ATOMIC if op.kind in _ATOMICS else 0
    if instruction is None:
        return bits
    bits |= 1 << _ACCESSES + _PLACE_OF_ACCESS[instruction.access]
    if 0 < op.width < instruction.width:
        bits |= _SPLIT
    return bits


def is_direct(op: Op, value: Any, instruction: Instruction) -> bool:
    """Whether one operation, which returned `value`, is the whole instruction; see `Trace.indirect`."""
    return (
        op.width is instruction.width
        and value is instruction.result
        and op.value is instruction.effect
        and op.address is instruction.address
        and op.function is None
    )


#: For each of simaie's checkers the groups of bits of each of which at least one must have occurred. A checker that is
#: not listed is always asked.
NEEDS: Mapping[Checker, tuple[int, ...]] = {
    instruction_results: (UNPROVED,),
    rmw_atomicity: (access_bit(AccessKind.ATOMIC), INTRUDED | SUSPECT),
    LLSC_ARCHITECTURAL: (access_bit(AccessKind.STORE_CONDITIONAL), INTRUDED | SUSPECT),
    LLSC_STRICT: (access_bit(AccessKind.STORE_CONDITIONAL), INTRUDED | SUSPECT),
    LLSC_VALUE: (access_bit(AccessKind.STORE_CONDITIONAL), INTRUDED | SUSPECT),
    lock_leak: (KEPT_LOCK,),
    locks_per_vcpu: (SECOND_LOCK, promise_bits([Promise.ONE_LOCK])),
    progress: (ending_bit(*STUCK, Ending.LASSO),),
    starvation: (ending_bit(Ending.STEP_LIMIT),),
    one_entry_per_granule: (TWINS, promise_bits([Promise.REGISTERED_BY_ATOMICS])),
    registered_by_atomics: (STRAY, promise_bits([Promise.REGISTERED_BY_ATOMICS])),
    host_operations: (_RAM_ATOMIC | kind_bit(*STOPS_WORLD), promise_bits([Promise.MUTEXES_ONLY])),
    unguarded_update: (UNGUARDED,),
    atomic_blocks: (BLOCK,),
    single_copy_atomicity: (_SPLIT,),
    single_copy_lpae: (_SPLIT,),
    single_copy_lse2: (_SPLIT,),
    single_copy_avx: (_SPLIT,),
    guest_fault: (FAULT,),
    final_check: (REFUSED,),
}  # fmt: skip

def can_find(checker: Checker, occurred: int) -> bool:
    """Whether `checker` may find something in an execution in which `occurred` did."""
    needs = NEEDS.get(checker, ()) if isinstance(checker, Hashable) else ()
    return all(occurred & need for need in needs)


#: The checkers with the same findings in every order of the read-modify-writes that `simaie.dependence.family_of` takes
#: as commuting. They judge one instruction, the locks, or the end. `atomic_blocks` does where no block occurs. Not
#: among them are `data_races`, because a read-modify-write orders others, and those that look for an order of all.
_IGNORE_ORDER = frozenset({
    instruction_results, rmw_atomicity, LLSC_ARCHITECTURAL, LLSC_STRICT, LLSC_VALUE, lock_leak, locks_per_vcpu,
    progress, starvation, one_entry_per_granule, registered_by_atomics, host_operations, unguarded_update,
    atomic_blocks, single_copy_atomicity, single_copy_lpae, single_copy_lse2, guest_fault, final_check,
})  # fmt: skip


def ignores_order(checker: Checker) -> bool:
    """Whether `checker` finds the same in every order of read-modify-writes that commute, if no block or call occurs.

    That is unknown of a checker that is not simaie's own, so that it is taken to judge the order.
    """
    return isinstance(checker, Hashable) and checker in _IGNORE_ORDER
