"""The modelled module: host locks for chunks of guest memory, handed out on demand.

A helper that emulates an atomic instruction asks for the lock of a *granule*, an aligned chunk of the guest's address
space. Locks live in the entries of a lockless radix tree and appear when first asked for; an entry lives for
ever. What the RFC adds is a *tiny set* in every entry, the vCPUs that hold a reservation there; what the later
x86 revision adds is a hashed *bitmap* that lets a plain store ask cheaply whether anybody ever used a granule
atomically.

Everything here awaits operations of the host port (`simaie.host.host`) and touches nothing shared otherwise: each
slot read, each compare-and-swap of the insertion, each lock, unlock, bit test and bit set is a step of its own,
since the holes of the design lie between exactly these.

Source: the RFC "Helper-based Atomic Instruction Emulation" (QEMU mailing list, May 2015) and its x86 revision.
"""
