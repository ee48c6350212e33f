/* Right and wrong uses of the heap. Compiled as a shared object, without a library. */
#include "common.h"

extern void *malloc(unsigned long size);
extern void *aligned_alloc(unsigned long alignment, unsigned long size);
extern void free(void *block);

struct item {
	word value;
	word more[7];
};
static struct item *shared;
static char *place;
u32 seen;

void setup(void)
{
	struct item *item = malloc(sizeof *item); /* allocated by setup */
	item->value = 7;
	store(&shared, item);
}

void setup_freed(void)
{
	setup();
	free(shared);
}

/* Two threads may take the same item. */
void drop(void)
{
	struct item *item = load(&shared);
	if (!item)
		return;
	store(&shared, (struct item *)0);
	free(item); /* dropped */
}

/* Only one of them takes it. */
void drop_once(void)
{
	struct item *item = load(&shared);
	if (item && compare_and_swap(&shared, item, (struct item *)0))
		free(item);
}

void free_shared(void) { free(load(&shared)); }

void twice(void)
{
	struct item *item = malloc(sizeof *item); /* allocated */
	free(item); /* freed */
	store(&seen, 1u);
	free(item); /* freed again */
}

void middle(unsigned long at)
{
	char *block = malloc(64); /* a block of 64 bytes */
	free(block + at); /* its middle */
}

void middle_of_shared(unsigned long at) { free((char *)load(&shared) + at); }

void variable(void) { free(&seen); }

void of_the_stack(void)
{
	volatile word local[2];
	local[0] = 1;
	free((void *)local);
	store(&seen, (u32)local[0]);
}

/* Writes past the end of a block, over the header of the next one. */
void overrun(void)
{
	word *first = malloc(16);
	char *second = malloc(16);
	for (unsigned at = 0; at < 40 / sizeof(word); at++)
		store(&first[at], (word)0);
	free(second);
}

void align(void)
{
	store(&place, (char *)aligned_alloc(256, 8));
}
int aligned(void) { return place && (word)place % 256 == 0; }

/* A final check that allocates, and looks at what setup allocated. */
int kept(void)
{
	struct item *mine = malloc(sizeof *mine);
	mine->value = 9;
	return shared->value == 7;
}
