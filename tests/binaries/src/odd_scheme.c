/* Helpers that use what a scheme may use, and one mistake each; the address of the access says which. */
#include <simaie_scheme.h>

void *calloc(unsigned long count, unsigned long size);
void pthread_mutex_lock(void *mutex);
void pthread_mutex_unlock(void *mutex);

static union {
	uint64_t wide;
	uint32_t narrow;
} both;
static uint64_t mutex[5], seen[64], *shared;

uint64_t scheme_load(unsigned cpu, uint64_t address, unsigned width)
{
	if (address == 0x200)
		return *(volatile uint32_t *)(uintptr_t)cpu; /* no memory */
	if (address == 0x300) {
		*(volatile uint64_t *)&both.wide = 1;
		return *(volatile uint32_t *)&both.narrow; /* another width */
	}
	uint64_t *block = calloc(1, 8);
	*block = address;
	__atomic_store_n(&shared, block, RELEASE);
	seen[cpu] = *__atomic_load_n(&shared, __ATOMIC_ACQUIRE); /* a block of either vCPU */
	return seen[cpu];
}

uint64_t scheme_compare_and_swap(unsigned cpu, uint64_t address, unsigned width, uint64_t expected, uint64_t value)
{
	uint32_t old = expected;
	__atomic_compare_exchange_n(simaie_guest(uint32_t, address), &old, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return old;
}

void scheme_lock(unsigned cpu, uint64_t address, unsigned width)
{
	pthread_mutex_lock(mutex);
}

void scheme_unlock(unsigned cpu, uint64_t address, unsigned width)
{
	pthread_mutex_unlock(mutex);
}
