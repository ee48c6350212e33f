/* What of Concurrency Kit is in its library and not in its headers; linked with the libck.a of Debian's libck-dev. */
#include <ck_barrier.h>
#include <ck_epoch.h>
#include <ck_hp.h>

int torn;
int whole(void) { return !torn; }

/* Of the C library the library needs only this, for a handful of addresses. */
void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	void **items = base;
	for (size_t i = 1; i < count; i++)
		for (size_t j = i; j && compare(&items[j - 1], &items[j]) > 0; j--) {
			void *other = items[j];
			items[j] = items[j - 1];
			items[j - 1] = other;
		}
}
void *bsearch(const void *key, const void *base, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	for (size_t i = 0; i < count; i++)
		if (compare(key, (const char *)base + i * size) == 0)
			return (char *)base + i * size;
	return 0;
}
void *memset(void *to, int value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((volatile char *)to)[i] = value;
	return to;
}
void *malloc(size_t size) { return 0; }
void free(void *block) {}

static ck_barrier_centralized_t barrier = CK_BARRIER_CENTRALIZED_INITIALIZER;
static int arrived[2];
void meet(unsigned me)
{
	ck_barrier_centralized_state_t state = CK_BARRIER_CENTRALIZED_STATE_INITIALIZER;
	ck_pr_store_int(&arrived[me], 1);
	ck_barrier_centralized(&barrier, &state, 2);
	torn |= !ck_pr_load_int(&arrived[1 - me]);
}

/* The same without waiting. */
void pass(unsigned me)
{
	ck_pr_store_int(&arrived[me], 1);
	torn |= !ck_pr_load_int(&arrived[1 - me]);
}

/* A value that is replaced; the old one is destroyed when it is reclaimed. */
struct value {
	int number;
	ck_hp_hazard_t hazard;
	ck_epoch_entry_t entry;
};
static struct value values[2] = { { .number = 7 }, { .number = 7 } }, *shared = &values[0];

static void destroy(void *value) { ck_pr_store_int(&((struct value *)value)->number, 0); }

static ck_hp_t hp;
static ck_hp_record_t hp_records[2];
static void *hp_pointers[2][1];
void hp_setup(void)
{
	ck_hp_init(&hp, 1, 1, destroy);
	for (int me = 0; me < 2; me++)
		ck_hp_register(&hp, &hp_records[me], hp_pointers[me]);
}
void hp_read(void)
{
	struct value *value;
	do {
		value = ck_pr_load_ptr(&shared);
		ck_hp_set_fence(&hp_records[0], 0, value);
	} while (value != ck_pr_load_ptr(&shared));
	torn |= ck_pr_load_int(&value->number) != 7;
	ck_hp_clear(&hp_records[0]);
}
/* Looks without a hazard pointer. */
void careless_read(void)
{
	struct value *value = ck_pr_load_ptr(&shared);
	torn |= ck_pr_load_int(&value->number) != 7;
}
void hp_replace(void)
{
	struct value *old = ck_pr_fas_ptr(&shared, &values[1]);
	ck_hp_free(&hp_records[1], &old->hazard, old, old);
}

static ck_epoch_t epoch;
static ck_epoch_record_t epoch_records[2];
void epoch_setup(void)
{
	ck_epoch_init(&epoch);
	for (int me = 0; me < 2; me++)
		ck_epoch_register(&epoch, &epoch_records[me], 0);
}
void epoch_read(void)
{
	ck_epoch_begin(&epoch_records[0], 0);
	careless_read();
	ck_epoch_end(&epoch_records[0], 0);
}
void epoch_replace(void)
{
	struct value *old = ck_pr_fas_ptr(&shared, &values[1]);
	ck_epoch_synchronize(&epoch_records[1]);
	destroy(old);
}
