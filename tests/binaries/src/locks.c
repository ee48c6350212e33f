/* Spinlocks: each function increments a counter under one of them. Two threads, then check(): nothing is lost. */
#include "common.h"

int counter;

int check(void) { return counter == 2; }

/* Fetch-and-store: the acquire writes while the lock is held, the release is a plain store. */
static u32 fas_word;

void fas(void)
{
	while (exchange(&fas_word, 1))
		while (load(&fas_word))
			pause();
	counter++;
	store_release(&fas_word, 0);
}

/* Compare-and-swap: only the thread that finds the lock free writes. */
static u32 cas_word;

void cas(void)
{
	while (!compare_and_swap(&cas_word, 0, 1))
		while (load(&cas_word))
			pause();
	counter++;
	store_release(&cas_word, 0);
}

/* Decrement: the first to reach 0 has the lock; the others write too. */
static u32 dec_word = 1;

void dec(void)
{
	while (fetch_sub(&dec_word, 1) != 1)
		while (load(&dec_word) != 1)
			pause();
	counter++;
	store_release(&dec_word, 1);
}

/* Ticket, in two words: only read-modify-writes change the first, only the owner the second. */
static u32 ticket_next, ticket_now;

void ticket(void)
{
	u32 mine = fetch_add(&ticket_next, 1);
	while (load_acquire(&ticket_now) != mine)
		pause();
	counter++;
	store_release(&ticket_now, mine + 1);
}

/* Mellor-Crummey and Scott: a queue of nodes on the stacks of the threads. */
struct mcs_node {
	struct mcs_node *next;
	u32 waits;
};
static struct mcs_node *mcs_tail;

static void mcs_lock(struct mcs_node *node)
{
	node->next = 0;
	node->waits = 1;
	struct mcs_node *before = exchange(&mcs_tail, node);
	if (!before)
		return;
	store_release(&before->next, node);
	while (load_acquire(&node->waits))
		pause();
}

static void mcs_unlock(struct mcs_node *node)
{
	if (!load_acquire(&node->next)) {
		if (compare_and_swap(&mcs_tail, node, (struct mcs_node *)0))
			return;
		while (!load_acquire(&node->next))
			pause();
	}
	store_release(&node->next->waits, 0);
}

void mcs(void)
{
	struct mcs_node node;
	mcs_lock(&node);
	counter++;
	mcs_unlock(&node);
}

/* Craig, Landin and Hagersten: each waits for the node of its predecessor. */
struct clh_node {
	u32 waits;
};
static struct clh_node clh_nodes[3];
static struct clh_node *clh_tail = &clh_nodes[0];

void clh(unsigned me)
{
	struct clh_node *mine = &clh_nodes[me];
	store(&mine->waits, 1);
	struct clh_node *before = exchange(&clh_tail, mine);
	while (load_acquire(&before->waits))
		pause();
	counter++;
	store_release(&mine->waits, 0);
}

/* Anderson: a ring of flags, one for each waiting thread. */
static u32 anderson_next, anderson_may[2] = { 1, 0 };

void anderson(void)
{
	u32 mine = fetch_add(&anderson_next, 1) % 2;
	while (!load_acquire(&anderson_may[mine]))
		pause();
	counter++;
	store(&anderson_may[mine], 0);
	store_release(&anderson_may[1 - mine], 1);
}

/* No lock at all. */
void bare(void) { counter++; }
