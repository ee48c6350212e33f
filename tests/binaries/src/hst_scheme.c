/* HST in C, as helpers for the host: a table of tags, in which a load-linked and a plain store write their vCPU, and a
 * store-conditional that looks whether its tag and its value are still there while the world is stopped. After Z. Zhao
 * et al., "Enhancing Atomic Instruction Emulation for Cross-ISA Dynamic Binary Translation" (CGO 2021).
 * With RELEASE the fences are there that a weak host needs; with __ATOMIC_RELAXED they are left out. */
#include <simaie_scheme.h>

void start_exclusive(void);
void end_exclusive(void);

static unsigned tags[16];
static uint64_t linked[64];
static uint32_t values[64];

static unsigned *tag_of(uint64_t address)
{
	return &tags[address >> 2 & 15];
}

static void fence(void)
{
	if (RELEASE != __ATOMIC_RELAXED)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* The first fence keeps this mark behind the guest's store before it, the second one before the guest's next access. */
static void mark(unsigned cpu, uint64_t address)
{
	fence();
	__atomic_store_n(tag_of(address), cpu + 1, __ATOMIC_RELAXED);
	fence();
}

uint64_t scheme_load_linked(unsigned cpu, uint64_t address, unsigned width)
{
	mark(cpu, address);
	linked[cpu] = address;
	return values[cpu] = *simaie_guest(volatile uint32_t, address);
}

int scheme_store_conditional(unsigned cpu, uint64_t address, unsigned width, uint64_t value)
{
	uint64_t reserved = linked[cpu];
	linked[cpu] = 0;
	if (reserved != address)
		return 0;
	start_exclusive();
	int stores = __atomic_load_n(tag_of(address), __ATOMIC_RELAXED) == cpu + 1 &&
		     *simaie_guest(volatile uint32_t, address) == values[cpu];
	if (stores)
		*simaie_guest(volatile uint32_t, address) = value;
	end_exclusive();
	return stores;
}

void scheme_clear_exclusive(unsigned cpu)
{
	linked[cpu] = 0;
}

void scheme_pre_store(unsigned cpu, uint64_t address, unsigned width)
{
	mark(cpu, address);
}
