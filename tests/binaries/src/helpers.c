#include <simaie_scheme.h>

static unsigned lock;

void scheme_lock(unsigned cpu, uint64_t address, unsigned width)
{
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
        ;
}

void scheme_unlock(unsigned cpu, uint64_t address, unsigned width)
{
    __atomic_store_n(&lock, 0, __ATOMIC_RELAXED);
}
