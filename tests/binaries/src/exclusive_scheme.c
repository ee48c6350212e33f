/* A lock by the compiler's atomics, of which Armv8.0 makes exclusives, and exclusives by hand that are refused. */
#include <simaie_scheme.h>

static unsigned lock;
static uint64_t one, two, taken;

void scheme_lock(unsigned cpu, uint64_t address, unsigned width)
{
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&lock, __ATOMIC_RELAXED))
			;
	__atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED);
}

void scheme_unlock(unsigned cpu, uint64_t address, unsigned width)
{
	__atomic_store_n(&lock, 0, RELEASE);
}

uint64_t scheme_load(unsigned cpu, uint64_t address, unsigned width)
{
	uint64_t value = 0;
	unsigned failed = 0;
	if (address == 0x200) /* another access in between */
		__asm__ volatile("ldxr %0, [%2]\n ldr %0, [%3]\n stxr %w1, %0, [%2]"
				 : "=&r"(value), "=&r"(failed) : "r"(&one), "r"(&two) : "memory");
	if (address == 0x300) /* another location */
		__asm__ volatile("ldxr %0, [%3]\n stxr %w1, %0, [%2]"
				 : "=&r"(value), "=&r"(failed) : "r"(&one), "r"(&two) : "memory");
	if (address == 0x400) /* nothing is reserved any more */
		__asm__ volatile("ldxr %0, [%2]\n clrex\n stxr %w1, %0, [%2]"
				 : "=&r"(value), "=&r"(failed) : "r"(&one) : "memory");
	if (address == 0x500) /* two at once */
		__asm__ volatile("ldxp %0, xzr, [%1]" : "=&r"(value) : "r"(&one) : "memory");
	return __atomic_load_n(&taken, __ATOMIC_RELAXED) + value + failed;
}
