"""Concurrency Kit's own headers, compiled where they and the compilers are installed (Debian: libck-dev, gcc-*)."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path

import pytest
from elf_guests import searched

from simaie import Verdict
from simaie.binary import binary_program

SYSTEM = Path("/usr/include")
#: Target -> compiler and flags. The installed ck_md.h is that of the machine; for others its macros are given here.
OTHER = (
    "-DCK_MD_H", "-DCK_MD_CACHELINE=64", "-DCK_MD_PAGESIZE=4096", "-DCK_MD_RTM_DISABLE", "-DCK_MD_LSE_DISABLE",
    "-DCK_MD_POINTER_PACK_DISABLE", "-DCK_MD_VMA_BITS=48ULL", "-DCK_MD_RMO", "-DCK_MD_SSE_DISABLE",
)  # fmt: skip
COMPILERS = {
    "x86_64": ("gcc", "-fcf-protection=none", "-mgeneral-regs-only", "-mcx16"),
    "arm": ("arm-linux-gnueabihf-gcc", "-marm", "-mfpu=vfpv3-d16", *OTHER),
    "aarch64": ("aarch64-linux-gnu-gcc", "-mno-outline-atomics", "-mgeneral-regs-only", *OTHER),
    "lse": ("aarch64-linux-gnu-gcc", "-march=armv8.1-a", "-mno-outline-atomics", "-mgeneral-regs-only",
            *(flag.replace("LSE_DISABLE", "LSE_ENABLE") for flag in OTHER)),
    "ppc64le": ("powerpc64le-linux-gnu-gcc", "-mno-vsx", "-mno-altivec", *OTHER),
    "i386": ("i686-linux-gnu-gcc", "-fcf-protection=none", "-mgeneral-regs-only", *OTHER),
    "riscv64": ("riscv64-linux-gnu-gcc", "-march=rv64gc", *OTHER),  # this and the next by the compiler's atomics
    "mips": ("mips-linux-gnu-gcc", *OTHER),
}
#: A line of the header for LSE that is left over, and lets no compiler pass.
LEFT_OVER = "#error bite\n"
LOCKS = {name: [name, name] for name in ("fas", "cas", "dec", "ticket", "mcs")} | {"clh": ["clh:1", "clh:2"]}
READERS = ("rw", "pf", "tf", "sw", "bytelock", "sequence", "brlock")
SOURCES = Path(__file__).parent / "src"
COMMON = ("-O2", "-g1", "-nostdlib", "-fno-stack-protector", "-ffreestanding", "-w")
LIBRARY = Path("/usr/lib/x86_64-linux-gnu/libck.a")


@functools.cache
def has_limits(compiler: str) -> bool:
    """Whether a compiler finds the <limits.h> of a C library, which the headers include."""
    asked = [compiler, "-E", "-x", "c", "-"]
    return subprocess.run(asked, input=b"#include <limits.h>", capture_output=True, check=False).returncode == 0


def headers_in(folder: Path, compiler: str) -> Path:
    """Return a folder of Concurrency Kit's headers alone; skip the test if they or a compiler are missing."""
    if not (SYSTEM / "ck_spinlock.h").exists() or shutil.which(compiler) is None:
        pytest.skip(f"Concurrency Kit's headers (libck-dev) or {compiler} are not installed")
    if not has_limits(compiler):
        pytest.skip(f"the headers of the C library for {compiler} are not installed (Debian: libc6-dev-*-cross)")
    headers = folder / "headers"
    if not headers.exists():
        headers.mkdir()
        for path in (*SYSTEM.glob("ck_*.h"), SYSTEM / "spinlock"):
            (headers / path.name).symlink_to(path)
        shutil.copytree(SYSTEM / "gcc", headers / "gcc")
        of_lse = headers / "gcc" / "aarch64" / "ck_pr_lse.h"
        of_lse.write_text(of_lse.read_text().replace(LEFT_OVER, ""))
    return headers


@functools.cache
def compiled(target: str, folder: Path) -> Path:
    """Return a shared object with Concurrency Kit's structures for a target."""
    compiler, *flags = COMPILERS[target]
    made = folder / f"ck.{target}.so"
    headers = headers_in(folder, compiler)
    given = [*flags, *COMMON, "-fPIC", "-shared", "-I", headers, SOURCES / "ck.c", "-lgcc"]
    subprocess.run([compiler, *given, "-o", made], check=True)
    return made


@functools.cache
def linked(folder: Path) -> Path:
    """Return an executable with the structures of Concurrency Kit's library, which is there for x86-64."""
    compiler, *flags = COMPILERS["x86_64"]
    headers = headers_in(folder, compiler)
    if not LIBRARY.exists():
        pytest.skip("Concurrency Kit's library (libck-dev for x86-64) is not installed")
    made = folder / "ck.x86_64.elf"
    given = [*flags, *COMMON, "-static", "-no-pie", "-Wl,-e,0", "-I", headers, SOURCES / "ck_library.c", LIBRARY]
    subprocess.run([compiler, *given, "-o", made], check=True)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ck")


def verdict(target: str, folder: Path, scheme: str, threads: list[str], final: str, init: str | None = None) -> Verdict:
    return verdict_of(compiled(target, folder), scheme, threads, final, init)


def verdict_of(path: Path, scheme: str, threads: list[str], final: str, init: str | None) -> Verdict:
    return searched(binary_program(path, threads, final=final, init=init), scheme).verdict


def expected(target: str, lock: str, scheme: str) -> Verdict:
    """Return the verdict of two threads that increment a counter under a lock.

    Their acquire writes while the lock is held, and their release is a plain store: so `fas` and `dec` lose a release
    between load-linked and store-conditional under aie-rfc, and next to the lock of global-lock. The package has no
    assembly for RISC-V, so there each atomic operation is a loop of LR and SC too.
    """
    by_pairs = target in ("arm", "aarch64", "ppc64le", "riscv64", "mips")
    wrong = {
        "none": True,
        "aie-rfc": by_pairs and lock in ("fas", "dec"),
        "global-lock": lock in ("fas", "cas", "dec"),
    }
    return Verdict.VIOLATED if wrong.get(scheme, False) else Verdict.HOLDS


def check_table(folder: Path, target: str, scheme: str, locks: dict[str, list[str]]) -> None:
    found = {lock: verdict(target, folder, scheme, threads, "check") for lock, threads in locks.items()}
    assert found == {lock: expected(target, lock, scheme) for lock in locks}


@pytest.mark.parametrize(("target", "scheme"), [("arm", "aie-rfc"), ("lse", "aie-rfc"), ("x86_64", "global-lock")])
def test_its_locks_under_schemes_that_lose_a_release(target, scheme, folder):
    check_table(folder, target, scheme, {lock: threads for lock, threads in LOCKS.items() if lock != "mcs"})


@pytest.mark.soak
@pytest.mark.parametrize("scheme", ["native", "cas", "none", "aie-rfc"])
@pytest.mark.parametrize("target", COMPILERS)
def test_the_table_of_its_locks(target, scheme, folder):
    slow = scheme == "aie-rfc" and target == "mips"  # mcs: many executions
    check_table(folder, target, scheme, {lock: each for lock, each in LOCKS.items() if not (slow and lock == "mcs")})


@pytest.mark.soak
@pytest.mark.parametrize("target", ["x86_64", "i386"])
def test_the_table_of_its_locks_under_one_lock(target, folder):
    check_table(folder, target, "global-lock", LOCKS)


@pytest.mark.parametrize("scheme", ["native", "aie-rfc"])
def test_its_queue_and_its_lock_for_readers_and_a_writer(scheme, folder):
    assert verdict("x86_64", folder, scheme, ["fifo_put", "fifo_take"], "ring_check", "fifo_setup") is Verdict.HOLDS
    reads = ["brlock_write", "brlock_read"]
    assert verdict("x86_64", folder, scheme, reads, "whole", "brlock_setup") is Verdict.HOLDS


#: Name -> threads, the call before, whether it is right.
OF_LIBRARY = {
    "barrier": (["meet:0", "meet:1"], None, True),
    "no barrier": (["pass:0", "pass:1"], None, False),
    "hp": (["hp_read", "hp_replace"], "hp_setup", True),
    "no hp": (["careless_read", "hp_replace"], "hp_setup", False),
    "epoch": (["epoch_read", "epoch_replace"], "epoch_setup", True),
    "no epoch": (["careless_read", "epoch_replace"], "epoch_setup", False),
}


@pytest.mark.parametrize("name", OF_LIBRARY)
def test_the_structures_of_its_library(name, folder):
    threads, init, is_right = OF_LIBRARY[name]
    wanted = Verdict.HOLDS if is_right else Verdict.VIOLATED
    assert verdict_of(linked(folder), "native", threads, "whole", init) is wanted


#: The structures that change a word in two threads.
RACED = ("pf", "tf", "sw")


@pytest.mark.soak
@pytest.mark.parametrize("scheme", ["native", "cas", "aie-rfc", "none"])
@pytest.mark.parametrize("target", COMPILERS)
def test_its_structures(target, scheme, folder):
    for name in READERS:
        init = "brlock_setup" if name == "brlock" else None
        threads = [f"{name}_write", f"{name}_read"]
        wanted = Verdict.VIOLATED if scheme == "none" and name in RACED else Verdict.HOLDS
        assert verdict(target, folder, scheme, threads, "whole", init) is wanted, name
    for name in ("ring", "fifo"):
        threads = [f"{name}_put", f"{name}_take"]
        assert verdict(target, folder, scheme, threads, "ring_check", f"{name}_setup") is Verdict.HOLDS, name
    wanted = Verdict.VIOLATED if scheme == "none" else Verdict.HOLDS
    assert verdict(target, folder, scheme, ["stack_push", "stack_pop"], "stack_check", "stack_setup") is wanted


@pytest.mark.parametrize(("target", "is_right"), [("x86_64", True), ("aarch64", True), ("lse", False)])
def test_its_stack_with_a_double_word(target, is_right, folder):
    """With LSE the library returns the result of the comparison inverted."""
    wanted = Verdict.HOLDS if is_right else Verdict.VIOLATED
    assert verdict(target, folder, "cas", ["mpmc_push", "mpmc_pop"], "stack_check", "mpmc_setup") is wanted
