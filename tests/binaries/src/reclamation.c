/* Safe memory reclamation: hazard pointers (Michael, IEEE TPDS 2004) and epochs (Fraser, 2004), right and careless. */
#include "common.h"

extern void *malloc(unsigned long size);
extern void free(void *block);

struct node {
	struct node *next;
	word value;
};
static struct node *top, *shared;
word seen[2];

static struct node *node(word value)
{
	struct node *made = malloc(sizeof *made);
	made->value = value;
	return made;
}

/* -- a stack whose pop frees the node; a hazard pointer says that a thread still looks at it ----------------------- */

static struct node *hazard[2];

void stack_setup(void)
{
	for (word value = 1; value <= 2; value++) {
		struct node *made = node(value);
		made->next = top;
		top = made;
	}
}

/* Free a node unless the other thread may look at it; then it is kept for ever, which is safe. */
static void retire(unsigned me, struct node *first)
{
	fence();
	if (load(&hazard[1 - me]) != first)
		free(first);
}

void pop(unsigned me)
{
	struct node *first;
	do {
		do {
			first = load(&top);
			if (!first)
				return;
			store(&hazard[me], first);
			fence();
		} while (first != load_acquire(&top));
	} while (!compare_and_swap(&top, first, load(&first->next)));
	seen[me] = first->value;
	store_release(&hazard[me], 0);
	retire(me, first);
}

/* Does not look again whether the node is still the first one: it may be freed already. */
void pop_carelessly(unsigned me)
{
	struct node *first;
	do {
		first = load(&top);
		if (!first)
			return;
		store(&hazard[me], first);
		fence();
	} while (!compare_and_swap(&top, first, load(&first->next)));
	seen[me] = first->value;
	store_release(&hazard[me], 0);
	retire(me, first);
}

/* Has no barrier between its hazard pointer and the second look. */
void pop_unordered(unsigned me)
{
	struct node *first;
	do {
		do {
			first = load(&top);
			if (!first)
				return;
			store(&hazard[me], first);
		} while (first != load_acquire(&top));
	} while (!compare_and_swap(&top, first, load(&first->next)));
	seen[me] = first->value;
	store_release(&hazard[me], 0);
	retire(me, first);
}

/* -- a replaced node is freed when no reader is left that entered in an older epoch -------------------------------- */

static word epoch = 1, entered[2];

void shared_setup(void) { shared = node(7); }

void reader(unsigned me)
{
	store(&entered[me], load(&epoch));
	fence();
	seen[me] = load_acquire(&shared)->value;
	store_release(&entered[me], 0);
}

/* Looks without an epoch. */
void reader_carelessly(unsigned me) { seen[me] = load_acquire(&shared)->value; }

/* Has no barrier between its epoch and what it reads. */
void reader_unordered(unsigned me)
{
	store(&entered[me], load(&epoch));
	seen[me] = load_acquire(&shared)->value;
	store_release(&entered[me], 0);
}

void writer(unsigned me)
{
	struct node *old = exchange(&shared, node(7));
	word now = fetch_add(&epoch, 1) + 1, other;
	fence();
	while ((other = load_acquire(&entered[1 - me])) && other < now)
		pause();
	free(old);
}

int reclaimed(void)
{
	for (int me = 0; me < 2; me++)
		if (seen[me] && seen[me] != 1 && seen[me] != 2 && seen[me] != 7)
			return 0;
	return 1;
}
