/* What simaie runs in place of a library: simaie.h, assertions, the heap. Compiled as a shared object, without one. */
#include "common.h"
#include "../../../simaie/include/simaie.h"

extern void *malloc(unsigned long size);
extern void free(void *block);
extern void *memset(void *to, int value, unsigned long count);
extern void __assert_fail(const char *condition, const char *file, unsigned line, const char *function);
extern void abort(void);
extern int getpid(void);
#define assert(condition) ((condition) ? (void)0 : __assert_fail(#condition, __FILE__, __LINE__, __func__))

struct item {
	struct item *next;
	word value;
};
static struct item *top;
u32 sum, wanted;

void choose(void) { sum = simaie_choose(3); }
void observe(unsigned long value) { simaie_observe("seen", value + sum); }
void fails(void) { assert(sum == 7); }
void aborts(void) { abort(); }
void asks(void) { sum = getpid(); }

/* A stack of allocated items. A pop frees what it took; another pop may still look at it. */
void push(unsigned long value)
{
	struct item *item = malloc(sizeof *item), *old;
	item->value = value;
	do {
		old = load(&top);
		item->next = old;
	} while (!compare_and_swap(&top, old, item));
}

word pop(void)
{
	struct item *item;
	do {
		item = load_acquire(&top);
		if (!item)
			return 0;
	} while (!compare_and_swap(&top, item, item->next));
	word value = item->value;
	free(item);
	return value;
}

/* The same, but nothing is freed. */
word pop_keeping(void)
{
	struct item *item;
	do {
		item = load_acquire(&top);
		if (!item)
			return 0;
	} while (!compare_and_swap(&top, item, item->next));
	return item->value;
}

void setup(void)
{
	push(1);
	push(2);
}

void pop_recorded(void)
{
	simaie_call0("pop");
	word value = pop_keeping();
	if (value)
		simaie_return(value);
	else
		simaie_return_nothing();
}

void push_recorded(unsigned long value)
{
	simaie_call("push", value);
	push(value);
	simaie_return_nothing();
}

/* A push that loses what another pushes at the same time. */
void push_carelessly(unsigned long value)
{
	simaie_call("push", value);
	struct item *item = malloc(sizeof *item);
	item->value = value;
	item->next = load(&top);
	store_release(&top, item);
	simaie_return_nothing();
}

void free_twice(void)
{
	void *block = malloc(8);
	free(block);
	free(block);
}
void free_nothing(void) { free(0); }
void free_variable(void) { free(&sum); }

void add_atomically(void)
{
	simaie_atomic_begin("add");
	store(&sum, load(&sum) + 1);
	simaie_atomic_end();
}

void clear(void)
{
	volatile u32 local[8];
	memset((void *)local, 7, sizeof local);
	memset(&sum, 3, 4);
	wanted = local[5];
}
int cleared(void) { return sum == 0x03030303 && wanted == 0x07070707; }
int always(void) { return 1; }
