/* Objects whose calls are recorded at entry and return, by their types alone. */
#include "common.h"

struct cell {
	struct cell *next;
	int value;
};
static struct cell cells[8], *top;
static u32 used;

static struct cell *cell(int value)
{
	struct cell *made = &cells[fetch_add(&used, 1)];
	made->value = value;
	return made;
}

void stack_push(int value)
{
	struct cell *made = cell(value), *old;
	do {
		old = load(&top);
		made->next = old;
	} while (!compare_and_swap(&top, old, made));
}

/* A push that loses what another thread pushes at the same time. */
void careless_push(int value)
{
	struct cell *made = cell(value);
	made->next = load(&top);
	store_release(&top, made);
}

static struct cell *take(void)
{
	struct cell *first;
	do {
		first = load_acquire(&top);
		if (!first)
			return 0;
	} while (!compare_and_swap(&top, first, first->next));
	return first;
}

/* The value, or -1 if the stack is empty. */
int stack_pop(void)
{
	struct cell *first = take();
	return first ? first->value : -1;
}

/* The address of the value, or a null pointer. */
const int *stack_pop_pointer(void)
{
	struct cell *first = take();
	return first ? &first->value : 0;
}

static u32 members;
_Bool add(unsigned char which) { return !(__atomic_fetch_or(&members, 1u << which, __ATOMIC_ACQ_REL) >> which & 1); }
_Bool contains(unsigned char which) { return load_acquire(&members) >> which & 1; }

/* Asks first and adds then: both of two threads may be told that they added it. */
_Bool careless_add(unsigned char which)
{
	if (contains(which))
		return 0;
	add(which);
	return 1;
}

/* Has a result of another kind. */
struct pair { int left, right; } both(int value) { return (struct pair){ value, value }; }
static int *volatile nowhere;
void crash(int value) { *nowhere = value; }
