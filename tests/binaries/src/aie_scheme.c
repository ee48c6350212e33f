/* AIE in C, as helpers for the host: a lock and a set of reservations for each granule of 16 bytes, in a lockless tree
 * that only grows. After the RFC "Helper-based Atomic Instruction Emulation" (QEMU mailing list, May 2015). Plain stores
 * are checked if their granule is in the tree; as there, they do not end reservations.
 * RELEASE is the order in which a lock is released. With __ATOMIC_RELAXED it is wrong on hosts that reorder stores. */
#include <simaie_scheme.h>

void *calloc(unsigned long count, unsigned long size);

struct entry {
	unsigned lock;
	uint64_t owners;
};

struct node {
	struct entry *entries[16];
};

static struct node *root[256];
static struct entry *held[64];
static uint64_t linked[64];

static void *child(void **slot, unsigned long size)
{
	void *found = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
	if (found || !size)
		return found;
	void *made = calloc(1, size);
	if (__atomic_compare_exchange_n(slot, &found, made, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return made;
	return found;
}

static struct entry *find(uint64_t address, int create)
{
	struct node *node = child((void **)&root[address >> 8 & 255], create ? sizeof(struct node) : 0);
	return node ? child((void **)&node->entries[address >> 4 & 15], create ? sizeof(struct entry) : 0) : 0;
}

static void lock(struct entry *entry)
{
	while (__atomic_exchange_n(&entry->lock, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&entry->lock, __ATOMIC_RELAXED))
			;
}

static void unlock(struct entry *entry)
{
	__atomic_store_n(&entry->lock, 0, RELEASE);
}

static uint64_t guest_load(uint64_t address, unsigned width)
{
	return width == 4 ? *simaie_guest(volatile uint32_t, address) : *simaie_guest(volatile uint64_t, address);
}

static void guest_store(uint64_t address, unsigned width, uint64_t value)
{
	if (width == 4)
		*simaie_guest(volatile uint32_t, address) = value;
	else
		*simaie_guest(volatile uint64_t, address) = value;
}

uint64_t scheme_load_linked(unsigned cpu, uint64_t address, unsigned width)
{
	struct entry *entry = find(address, 1);
	lock(entry);
	entry->owners |= 1ull << cpu;
	linked[cpu] = address;
	uint64_t value = guest_load(address, width);
	unlock(entry);
	return value;
}

int scheme_store_conditional(unsigned cpu, uint64_t address, unsigned width, uint64_t value)
{
	if (linked[cpu] != address)
		return 0;
	linked[cpu] = 0;
	struct entry *entry = find(address, 1);
	lock(entry);
	int stores = entry->owners >> cpu & 1;
	if (stores) {
		entry->owners = 0;
		guest_store(address, width, value);
	}
	unlock(entry);
	return stores;
}

void scheme_clear_exclusive(unsigned cpu)
{
	linked[cpu] = 0;
}

void scheme_lock(unsigned cpu, uint64_t address, unsigned width)
{
	held[cpu] = find(address, 1);
	lock(held[cpu]);
}

void scheme_unlock(unsigned cpu, uint64_t address, unsigned width)
{
	unlock(held[cpu]);
}

void scheme_pre_store(unsigned cpu, uint64_t address, unsigned width)
{
	held[cpu] = find(address, 0);
	if (held[cpu])
		lock(held[cpu]);
}

void scheme_post_store(unsigned cpu, uint64_t address, unsigned width)
{
	if (held[cpu])
		unlock(held[cpu]);
}
