/* Concurrency Kit as a guest. Its headers are found where Debian's libck-dev is installed; nothing of it is here. */
#include <ck_brlock.h>
#include <ck_bytelock.h>
#include <ck_fifo.h>
#include <ck_pflock.h>
#include <ck_ring.h>
#include <ck_rwlock.h>
#include <ck_sequence.h>
#include <ck_spinlock.h>
#include <ck_stack.h>
#include <ck_swlock.h>
#include <ck_tflock.h>

int counter, left, right, torn;
int check(void) { return counter == 2; }
int whole(void) { return !torn; }

#define LOCK(name, NAME)                                                                                              \
	static ck_spinlock_##name##_t name##_word = CK_SPINLOCK_##NAME##_INITIALIZER;                                  \
	void name(void)                                                                                                \
	{                                                                                                              \
		ck_spinlock_##name##_lock(&name##_word);                                                               \
		counter++;                                                                                             \
		ck_spinlock_##name##_unlock(&name##_word);                                                             \
	}
LOCK(fas, FAS)
LOCK(cas, CAS)
LOCK(dec, DEC)
LOCK(ticket, TICKET)

static ck_spinlock_mcs_t mcs_tail;
void mcs(void)
{
	ck_spinlock_mcs_context_t node;
	ck_spinlock_mcs_lock(&mcs_tail, &node);
	counter++;
	ck_spinlock_mcs_unlock(&mcs_tail, &node);
}

static struct ck_spinlock_clh clh_nodes[3], *clh_tail = &clh_nodes[0], *clh_mine[3] = { 0, &clh_nodes[1], &clh_nodes[2] };
void clh(unsigned me)
{
	ck_spinlock_clh_lock(&clh_tail, clh_mine[me]);
	counter++;
	ck_spinlock_clh_unlock(&clh_mine[me]);
}

#define WRITER(name, lock, unlock)                                                                                     \
	void name##_write(void)                                                                                        \
	{                                                                                                              \
		lock;                                                                                                  \
		left++;                                                                                                \
		right++;                                                                                               \
		unlock;                                                                                                \
	}
#define READER(name, lock, unlock)                                                                                     \
	void name##_read(void)                                                                                         \
	{                                                                                                              \
		lock;                                                                                                  \
		torn |= left != right;                                                                                 \
		unlock;                                                                                                \
	}
static ck_rwlock_t rw = CK_RWLOCK_INITIALIZER;
WRITER(rw, ck_rwlock_write_lock(&rw), ck_rwlock_write_unlock(&rw))
READER(rw, ck_rwlock_read_lock(&rw), ck_rwlock_read_unlock(&rw))
static ck_pflock_t pf = CK_PFLOCK_INITIALIZER;
WRITER(pf, ck_pflock_write_lock(&pf), ck_pflock_write_unlock(&pf))
READER(pf, ck_pflock_read_lock(&pf), ck_pflock_read_unlock(&pf))
static ck_tflock_ticket_t tf = CK_TFLOCK_TICKET_INITIALIZER;
WRITER(tf, ck_tflock_ticket_write_lock(&tf), ck_tflock_ticket_write_unlock(&tf))
READER(tf, ck_tflock_ticket_read_lock(&tf), ck_tflock_ticket_read_unlock(&tf))
static ck_swlock_t sw = CK_SWLOCK_INITIALIZER;
WRITER(sw, ck_swlock_write_lock(&sw), ck_swlock_write_unlock(&sw))
READER(sw, ck_swlock_read_lock(&sw), ck_swlock_read_unlock(&sw))
static ck_bytelock_t byte_ = CK_BYTELOCK_INITIALIZER;
WRITER(bytelock, ck_bytelock_write_lock(&byte_, 1), ck_bytelock_write_unlock(&byte_))
READER(bytelock, ck_bytelock_read_lock(&byte_, 2), ck_bytelock_read_unlock(&byte_, 2))

static struct ck_brlock br = CK_BRLOCK_INITIALIZER;
static struct ck_brlock_reader br_reader = CK_BRLOCK_READER_INITIALIZER;
void brlock_setup(void) { ck_brlock_read_register(&br, &br_reader); }
WRITER(brlock, ck_brlock_write_lock(&br), ck_brlock_write_unlock(&br))
READER(brlock, ck_brlock_read_lock(&br, &br_reader), ck_brlock_read_unlock(&br_reader))

static ck_sequence_t sequence = CK_SEQUENCE_INITIALIZER;
WRITER(sequence, ck_sequence_write_begin(&sequence), ck_sequence_write_end(&sequence))
void sequence_read(void)
{
	unsigned version;
	int l, r;
	do {
		version = ck_sequence_read_begin(&sequence);
		l = ck_pr_load_int(&left);
		r = ck_pr_load_int(&right);
	} while (ck_sequence_read_retry(&sequence, version));
	torn |= l != r;
}

static ck_ring_t ring;
static ck_ring_buffer_t slots[4];
static void *taken[2];
void ring_setup(void) { ck_ring_init(&ring, 4); }
void ring_put(void)
{
	ck_ring_enqueue_spsc(&ring, slots, &left);
	ck_ring_enqueue_spsc(&ring, slots, &right);
}
void ring_take(void)
{
	for (int number = 0; number < 2; number++)
		while (!ck_ring_dequeue_spsc(&ring, slots, &taken[number]))
			ck_pr_stall();
}
int ring_check(void) { return taken[0] == &left && taken[1] == &right; }

static ck_fifo_spsc_t fifo;
static ck_fifo_spsc_entry_t fifo_entries[3];
void fifo_setup(void)
{
	ck_fifo_spsc_init(&fifo, &fifo_entries[0]);
	taken[0] = taken[1] = 0;
}
void fifo_put(void)
{
	ck_fifo_spsc_enqueue(&fifo, &fifo_entries[1], &left);
	ck_fifo_spsc_enqueue(&fifo, &fifo_entries[2], &right);
}
void fifo_take(void)
{
	for (int number = 0; number < 2; number++)
		while (!ck_fifo_spsc_dequeue(&fifo, &taken[number]))
			ck_pr_stall();
}

static ck_stack_t stack;
static ck_stack_entry_t entries[3];
static ck_stack_entry_t *popped[2];
void stack_setup(void) { ck_stack_push_upmc(&stack, &entries[0]); }
void stack_push(void) { ck_stack_push_upmc(&stack, &entries[1]); }
void stack_pop(void) { popped[0] = ck_stack_pop_upmc(&stack); }
int stack_check(void)
{
	int seen = 0;
	for (ck_stack_entry_t *each = stack.head; each; each = each->next)
		seen |= 1 << (each - entries);
	return popped[0] && (seen | 1 << (popped[0] - entries)) == 3;
}

#if defined(CK_F_STACK_PUSH_MPMC) && defined(CK_F_STACK_POP_MPMC)
/* With a double-word compare-and-swap, so that a node may be pushed again. */
void mpmc_setup(void) { ck_stack_push_mpmc(&stack, &entries[0]); }
void mpmc_push(void) { ck_stack_push_mpmc(&stack, &entries[1]); }
void mpmc_pop(void) { popped[0] = ck_stack_pop_mpmc(&stack); }
#endif
