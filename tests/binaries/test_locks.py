"""Compiled spinlocks under every scheme: which are lost, which hold, on which instruction sets."""

import pytest
from elf_guests import ELF, LOCKS, TARGETS, locks, searched

from simaie import Verdict
from simaie.binary import binary_program

#: The targets whose read-modify-writes are loops of load-linked and store-conditional.
LINKED = ("arm", "thumb", "aarch64", "mips", "mipsel", "mipsr6", "ppc64le")
SAFE = tuple(lock for lock in LOCKS if lock != "bare")


def expected(target: str, lock: str, scheme: str) -> Verdict:
    """The known answer.

    Under aie-rfc, a lock whose acquire writes while the lock is held loses a release, which is a plain store, if the
    acquire is a load-linked and a store-conditional. On RISC-V, the queue of MCS is changed by an AMO, which revokes no
    reservation, and by LR and SC. Under global-lock, a plain store ignores the lock of the read-modify-writes.
    """
    lost = (
        scheme == "none"
        or lock == "bare"
        or (scheme == "aie-rfc" and lock in ("fas", "dec") and target in LINKED)
        or (scheme == "aie-rfc" and lock == "mcs" and target == "riscv64")
        or (scheme == "global-lock" and lock in ("fas", "cas", "dec"))
    )
    return Verdict.VIOLATED if lost else Verdict.HOLDS


def check(target: str, lock: str, scheme: str) -> None:
    assert searched(locks(target, lock), scheme).verdict is expected(target, lock, scheme)


@pytest.mark.parametrize("target", TARGETS)
def test_a_release_is_lost_under_the_rfc_between_ll_and_sc(target):
    check(target, "fas", "aie-rfc")
    check(target, "cas", "aie-rfc")


@pytest.mark.parametrize("target", ["arm", "lse", "riscv64", "x86_64"])
def test_locks_hold_under_the_ideal_scheme_and_break_without_atomicity(target):
    for lock in ("fas", "ticket", "mcs", "bare"):
        check(target, lock, "native")
        check(target, lock, "none")


@pytest.mark.parametrize(("target", "lock", "executions"), [
    ("aarch64", "clh", 72), ("arm", "ticket", 96), ("ppc64le", "clh", 96), ("lse", "mcs", 136),
])  # fmt: skip
def test_a_lock_that_is_written_only_when_it_is_free_holds_under_the_rfc(target, lock, executions):
    found = searched(locks(target, lock), "aie-rfc")
    assert (found.verdict, found.executions) == (expected(target, lock, "aie-rfc"), executions)


def test_a_scheme_that_mixes_amo_and_lr_sc_needs_its_option():
    check("riscv64", "mcs", "aie-rfc")
    assert searched(locks("riscv64", "mcs"), "aie-rfc:checked_store_revokes=true").verdict is Verdict.HOLDS


@pytest.mark.parametrize("lock", SAFE)
def test_a_plain_store_ignores_the_global_lock(lock):
    check("x86_64", lock, "global-lock")


def test_the_numbers_of_executions_are_those_of_hand_written_guests():
    """As for the same loops written with the methods of the vCPU."""
    assert searched(locks("arm", "fas"), "native").executions == 22
    assert searched(locks("arm", "ticket"), "native").executions == 16
    assert searched(locks("arm", "fas"), "aie-rfc", failures=None).executions == 120


def test_what_is_broken_is_found_soon():
    """The search reverses the last races first, and what fails here fails by one of the first."""
    assert searched(locks("riscv64", "fas"), "none").executions == 2
    assert searched(locks("riscv64", "cas"), "none").executions == 13
    pops = binary_program(ELF / "guide.aarch64.so", ["pop", "pop_and_push"], init="setup", final="check")
    assert searched(pops, "cas").executions == 22
    assert min(searched(pops, "cas", scheduler="pct", seed=seed).executions for seed in range(4)) <= 6


@pytest.mark.parametrize("host", ["pso", "armv8"])
@pytest.mark.parametrize("lock", ["fas", "mcs"])
def test_without_barriers_a_weak_host_breaks_them(lock, host):
    assert searched(locks("aarch64", lock), "cas:barriers=none", host).verdict is Verdict.VIOLATED
    assert searched(locks("aarch64", lock), "cas:barriers=guest", host).verdict is Verdict.HOLDS


@pytest.mark.soak
@pytest.mark.parametrize("scheme", ["native", "cas", "aie-rfc", "none"])
@pytest.mark.parametrize("target", TARGETS)
def test_every_lock_on_every_target(target, scheme):
    for lock in LOCKS:
        check(target, lock, scheme)
