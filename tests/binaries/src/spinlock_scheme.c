/* Helpers of a scheme, compiled for the host: one spinlock for all read-modify-writes of the guest.
 * RELEASE is the order of its release. With __ATOMIC_RELAXED the lock is wrong on hosts that reorder stores. */
#include <simaie_scheme.h>

static unsigned lock;

void scheme_lock(unsigned cpu, uint64_t address, unsigned width)
{
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&lock, __ATOMIC_RELAXED))
			;
}

void scheme_unlock(unsigned cpu, uint64_t address, unsigned width)
{
	__atomic_store_n(&lock, 0, RELEASE);
}
