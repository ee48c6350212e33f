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
    "ppc64le": ("powerpc64le-linux-gnu-gcc", "-mno-vsx", "-mno-altivec", *OTHER),
}
LOCKS = {name: [name, name] for name in ("fas", "cas", "dec", "ticket", "mcs")} | {"clh": ["clh:1", "clh:2"]}
READERS = ("rw", "pf", "tf", "sw", "bytelock", "sequence")


@functools.cache
def compiled(target: str, folder: Path) -> Path:
    """Return a shared object with Concurrency Kit's structures for a target."""
    compiler, *flags = COMPILERS[target]
    if not (SYSTEM / "ck_spinlock.h").exists() or shutil.which(compiler) is None:
        pytest.skip(f"Concurrency Kit's headers (libck-dev) or {compiler} are not installed")
    headers = folder / "headers"
    if not headers.exists():
        headers.mkdir()
        for path in (*SYSTEM.glob("ck_*.h"), SYSTEM / "gcc", SYSTEM / "spinlock"):
            (headers / path.name).symlink_to(path)
    made = folder / f"ck.{target}.so"
    source = Path(__file__).parent / "src" / "ck.c"
    common = ["-O2", "-g1", "-fPIC", "-shared", "-nostdlib", "-fno-stack-protector", "-ffreestanding", "-w"]
    subprocess.run([compiler, *flags, *common, "-I", headers, source, "-o", made], check=True)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ck")


def verdict(target: str, folder: Path, scheme: str, threads: list[str], final: str, init: str | None = None) -> Verdict:
    program = binary_program(compiled(target, folder), threads, final=final, init=init)
    return searched(program, scheme).verdict


@pytest.mark.parametrize("target", ["arm", "x86_64"])
def test_its_locks_under_the_rfc(target, folder):
    for lock, threads in LOCKS.items():
        lost = target == "arm" and lock in ("fas", "dec")
        found = verdict(target, folder, "aie-rfc", threads, "check")
        assert found is (Verdict.VIOLATED if lost else Verdict.HOLDS), lock


@pytest.mark.soak
@pytest.mark.parametrize("scheme", ["native", "cas", "none"])
@pytest.mark.parametrize("target", COMPILERS)
def test_its_structures(target, scheme, folder):
    expected = Verdict.VIOLATED if scheme == "none" else Verdict.HOLDS
    for lock, threads in LOCKS.items():
        assert verdict(target, folder, scheme, threads, "check") is expected, lock
    if scheme != "none":
        for name in READERS:
            assert verdict(target, folder, scheme, [f"{name}_write", f"{name}_read"], "whole") is expected, name
        assert verdict(target, folder, scheme, ["ring_put", "ring_take"], "ring_check", "ring_setup") is expected
        assert verdict(target, folder, scheme, ["stack_push", "stack_pop"], "stack_check", "stack_setup") is expected
