"""The modelled AIE module: host locks for granules of guest memory, created on demand.

A helper that emulates an atomic instruction asks for the lock of a *granule*, an aligned chunk of the guest's address
space. The entries of a lockless radix tree hold the locks. An entry is created when its lock is first requested, and
it lives forever. The RFC adds a *tiny set* to each entry: the vCPUs that hold a reservation on the granule. The later
x86 revision adds a hashed *bitmap*, which lets a plain store ask cheaply whether a granule was ever used atomically.

All code here awaits operations of the host port (`simaie.host.host`) and otherwise touches no shared state. Each slot
read, each compare-and-swap of the insertion, each lock, unlock, bit test and bit set is a separate step, because the
holes of the design lie between exactly these steps.

Source: the RFC "Helper-based Atomic Instruction Emulation" (QEMU mailing list, May 2015) and its x86 revision.
"""
