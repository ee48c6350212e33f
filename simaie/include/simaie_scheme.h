/* A scheme in C: what an emulator's helpers do for the guest's accesses, compiled for the host.
 *
 *     simaie explore guest.py:program --scheme compiled:file=helpers.so --host armv8
 *
 * simaie calls these functions of the file, on the vCPU that performs the access; a scheme defines those that it needs.
 * An access without one is what the host does: one plain access. `cpu` counts the vCPUs from 0, below 64; those that a
 * guest starts have numbers from 32 on. `width` is in bytes, at most 8, and an address is that of the guest's memory,
 * translated by the page table of a full system. A helper may use every instruction of the host, its own variables,
 * calloc, pthread mutexes, QEMU's start_exclusive and end_exclusive, and the memory of the guest through
 * simaie_guest(). Between an exclusive load and its store it makes no other access. Each location of its own has one
 * width.
 */
#ifndef SIMAIE_SCHEME_H
#define SIMAIE_SCHEME_H

#include <stdint.h>

/* A plain load and a plain store in place of the host's; or what precedes and follows the host's store. */
uint64_t scheme_load(unsigned cpu, uint64_t address, unsigned width);
void scheme_store(unsigned cpu, uint64_t address, unsigned width, uint64_t value);
void scheme_pre_store(unsigned cpu, uint64_t address, unsigned width);
void scheme_post_store(unsigned cpu, uint64_t address, unsigned width);

/* LDREX, LL, LR; STREX, SC, which returns whether it stored; CLREX. */
uint64_t scheme_load_linked(unsigned cpu, uint64_t address, unsigned width);
int scheme_store_conditional(unsigned cpu, uint64_t address, unsigned width, uint64_t value);
void scheme_clear_exclusive(unsigned cpu);

/* What precedes and follows the load and the store of a read-modify-write (LOCK, SWP, AMO, LSE); and, in place of all
 * three, a compare-and-swap, which returns the old value. */
void scheme_lock(unsigned cpu, uint64_t address, unsigned width);
void scheme_unlock(unsigned cpu, uint64_t address, unsigned width);
uint64_t scheme_compare_and_swap(unsigned cpu, uint64_t address, unsigned width, uint64_t expected, uint64_t value);

/* An exception, and the end of a thread. */
void scheme_exception(unsigned cpu);
void scheme_thread_exit(unsigned cpu);

/* Where the memory of the guest is in the memory of the emulator. */
#define SIMAIE_GUEST 0x1000000000000
#define simaie_guest(type, address) ((type *)(uintptr_t)((address) + SIMAIE_GUEST))

#endif
