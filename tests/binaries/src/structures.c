/* Lock-free structures, each with the functions that threads call, and a check of the final state. */
#include "common.h"

struct node {
	struct node *next;
	word value;
};
struct node nodes[4];
word popped[4];

static word number(struct node *node) { return node ? (word)(node - nodes) + 1 : 0; }

/* -- Treiber's stack: push and pop by compare-and-swap; the pop has the A-B-A problem --------------- */

struct node *stack;

static void push_node(struct node **head, struct node *node)
{
	struct node *old;
	do {
		old = load(head);
		node->next = old;
	} while (!compare_and_swap(head, old, node));
}

static struct node *pop_cas(struct node **head)
{
	struct node *top, *next;
	do {
		top = load_acquire(head);
		if (!top)
			return 0;
		next = load(&top->next);
	} while (!compare_and_swap(head, top, next));
	return top;
}

void stack_setup(void)
{
	nodes[0].next = &nodes[1];
	nodes[1].next = 0;
	stack = &nodes[0];
}

void push(unsigned which) { push_node(&stack, &nodes[which]); }
void pop(unsigned me) { popped[me] = number(pop_cas(&stack)); }

/* Takes the first node, pushes another, and puts the first back: the A-B-A of Treiber's pop. */
void again(unsigned fresh)
{
	struct node *node = pop_cas(&stack);
	push_node(&stack, &nodes[fresh]);
	if (node)
		push_node(&stack, node);
}

/* Each of three nodes is on the stack once, or was popped. */
int stack_check(void)
{
	unsigned seen = 0;
	for (struct node *node = stack; node; node = node->next) {
		unsigned bit = 1u << (node - nodes);
		if (seen & bit)
			return 0;
		seen |= bit;
	}
	for (int me = 0; me < 4; me++)
		if (popped[me]) {
			unsigned bit = 1u << (popped[me] - 1);
			if (seen & bit)
				return 0;
			seen |= bit;
		}
	return seen == 7;
}

/* -- the same with a load-linked and a store-conditional around the load of the next node ------------- */

#if defined(__arm__) || defined(__aarch64__) || defined(__riscv) || defined(__powerpc64__) || defined(__mips__)
static struct node *pop_linked(struct node **head)
{
	struct node *top, *next;
	unsigned failed;
#if defined(__arm__)
	__asm__ __volatile__("1: ldrex %0,[%3]\n cmp %0,#0\n beq 2f\n ldr %1,[%0]\n strex %2,%1,[%3]\n cmp %2,#0\n bne 1b\n"
			     "2: dmb ish"
			     : "=&r"(top), "=&r"(next), "=&r"(failed) : "r"(head) : "cc", "memory");
#elif defined(__aarch64__)
	__asm__ __volatile__("1: ldaxr %0,[%3]\n cbz %0,2f\n ldr %1,[%0]\n stlxr %w2,%1,[%3]\n cbnz %w2,1b\n2:"
			     : "=&r"(top), "=&r"(next), "=&r"(failed) : "r"(head) : "cc", "memory");
#elif defined(__riscv)
	__asm__ __volatile__("1: lr.d.aq %0,(%3)\n beqz %0,2f\n ld %1,0(%0)\n sc.d.rl %2,%1,(%3)\n bnez %2,1b\n2:"
			     : "=&r"(top), "=&r"(next), "=&r"(failed) : "r"(head) : "memory");
#elif defined(__powerpc64__)
	__asm__ __volatile__("1: ldarx %0,0,%3\n cmpdi %0,0\n beq 2f\n ld %1,0(%0)\n stdcx. %1,0,%3\n bne- 1b\n2: lwsync"
			     : "=&b"(top), "=&r"(next), "=&r"(failed) : "r"(head) : "cr0", "memory");
#elif defined(__mips__)
	__asm__ __volatile__(".set push\n.set noreorder\n1: ll %0,0(%3)\n beqz %0,2f\n nop\n lw %1,0(%0)\n move %2,%1\n"
			     " sc %2,0(%3)\n beqz %2,1b\n nop\n2: sync\n.set pop"
			     : "=&r"(top), "=&r"(next), "=&r"(failed) : "r"(head) : "memory");
#endif
	return top;
}

void pop_ll(unsigned me) { popped[me] = number(pop_linked(&stack)); }

void again_ll(unsigned fresh)
{
	struct node *node = pop_linked(&stack);
	push_node(&stack, &nodes[fresh]);
	if (node)
		push_node(&stack, node);
}
#endif

/* -- the same with a counter next to the head, changed by a double-word compare-and-swap ---------------- */

#if defined(__x86_64__) || defined(__aarch64__)
typedef unsigned __int128 pair;
#elif defined(__arm__) || defined(__i386__)
typedef u64 pair;
#endif
#if defined(__x86_64__) || defined(__aarch64__) || defined(__arm__) || defined(__i386__)
#define HALF (8 * sizeof(word))
static union {
	pair both;
	struct {
		struct node *top;
		word count;
	};
} counted __attribute__((aligned(2 * sizeof(word))));

static int swap_pair(pair *place, pair old, pair new)
{
#if defined(__x86_64__)
	u8 done;
	__asm__ __volatile__("lock cmpxchg16b %0\n sete %1" : "+m"(*place), "=q"(done), "+A"(old)
			     : "b"((word)new), "c"((word)(new >> HALF)) : "cc", "memory");
	return done;
#elif defined(__i386__)
	u8 done;
	__asm__ __volatile__("lock cmpxchg8b %0\n sete %1" : "+m"(*place), "=q"(done), "+A"(old)
			     : "b"((word)new), "c"((word)(new >> HALF)) : "cc", "memory");
	return done;
#elif defined(__ARM_FEATURE_ATOMICS)
	register word o0 __asm__("x0") = (word)old, o1 __asm__("x1") = (word)(old >> HALF);
	register word n0 __asm__("x2") = (word)new, n1 __asm__("x3") = (word)(new >> HALF);
	__asm__ __volatile__("caspal x0, x1, x2, x3, [%4]" : "+r"(o0), "+r"(o1) : "r"(n0), "r"(n1), "r"(place) : "memory");
	return o0 == (word)old && o1 == (word)(old >> HALF);
#elif defined(__aarch64__)
	word low, high;
	unsigned failed;
	__asm__ __volatile__("1: ldaxp %0,%1,[%3]\n cmp %0,%4\n ccmp %1,%5,#0,eq\n b.ne 2f\n stlxp %w2,%6,%7,[%3]\n"
			     " cbnz %w2,1b\n b 3f\n2: clrex\n mov %w2,#1\n3:"
			     : "=&r"(low), "=&r"(high), "=&r"(failed)
			     : "r"(place), "r"((word)old), "r"((word)(old >> HALF)), "r"((word)new), "r"((word)(new >> HALF))
			     : "cc", "memory");
	return !failed;
#else
	return compare_and_swap(place, old, new);
#endif
}

static struct node *pop_counted(void)
{
	for (;;) {
		word count = load_acquire(&counted.count);
		struct node *top = load(&counted.top);
		if (!top)
			return 0;
		pair old = (pair)(word)top | (pair)count << HALF;
		pair new = (pair)(word)load(&top->next) | (pair)(count + 1) << HALF;
		if (swap_pair(&counted.both, old, new))
			return top;
	}
}

static void push_counted(struct node *node)
{
	for (;;) {
		word count = load_acquire(&counted.count);
		struct node *top = load(&counted.top);
		store(&node->next, top);
		if (swap_pair(&counted.both, (pair)(word)top | (pair)count << HALF,
			      (pair)(word)node | (pair)(count + 1) << HALF))
			return;
	}
}

void counted_setup(void)
{
	nodes[0].next = &nodes[1];
	counted.top = &nodes[0];
}

void pop_dw(unsigned me) { popped[me] = number(pop_counted()); }

void again_dw(unsigned fresh)
{
	struct node *node = pop_counted();
	push_counted(&nodes[fresh]);
	if (node)
		push_counted(node);
}

int counted_check(void)
{
	stack = counted.top;
	return stack_check();
}
#endif

/* -- Michael and Scott's queue ------------------------------------------------------------------------ */

struct node *queue_head = &nodes[0], *queue_tail = &nodes[0];

void enqueue(unsigned which)
{
	struct node *node = &nodes[which];
	node->value = which;
	node->next = 0;
	for (;;) {
		struct node *tail = load_acquire(&queue_tail);
		struct node *next = load_acquire(&tail->next);
		if (next) {
			compare_and_swap(&queue_tail, tail, next);
		} else if (compare_and_swap(&tail->next, (struct node *)0, node)) {
			compare_and_swap(&queue_tail, tail, node);
			return;
		}
	}
}

word dequeue(unsigned me)
{
	for (;;) {
		struct node *head = load_acquire(&queue_head);
		struct node *tail = load_acquire(&queue_tail);
		struct node *next = load_acquire(&head->next);
		if (!next)
			return 0;
		if (head == tail)
			compare_and_swap(&queue_tail, tail, next);
		word value = next->value;
		if (compare_and_swap(&queue_head, head, next))
			return popped[me] = value;
	}
}

/* What was enqueued, 1 and 2, was dequeued or is in the queue, once. */
int queue_check(void)
{
	unsigned seen = 0;
	for (struct node *node = queue_head->next; node; node = node->next) {
		if (seen & 1u << node->value)
			return 0;
		seen |= 1u << node->value;
	}
	for (int me = 0; me < 4; me++)
		if (popped[me]) {
			if (seen & 1u << popped[me])
				return 0;
			seen |= 1u << popped[me];
		}
	return seen == 6;
}

/* -- a ring for one producer and one consumer ------------------------------------------------------------ */

static u32 ring[2], ring_read, ring_written;
u32 received[2];

void produce(unsigned count)
{
	for (u32 item = 1; item <= count; item++) {
		u32 at = load(&ring_written);
		while (at - load_acquire(&ring_read) == 2)
			pause();
		ring[at % 2] = item;
		store_release(&ring_written, at + 1);
	}
}

void consume(unsigned count)
{
	for (u32 number = 0; number < count; number++) {
		u32 at = load(&ring_read);
		while (load_acquire(&ring_written) == at)
			pause();
		received[number] = ring[at % 2];
		store_release(&ring_read, at + 1);
	}
}

/* The same without the release: the item may be overtaken by the counter. */
void produce_relaxed(unsigned count)
{
	for (u32 item = 1; item <= count; item++) {
		u32 at = load(&ring_written);
		store(&ring[at % 2], item);
		store(&ring_written, at + 1);
	}
}

int ring_check(void) { return received[0] == 1 && (received[1] == 2 || received[1] == 0); }

/* -- a sequence lock ----------------------------------------------------------------------------------------- */

static u32 sequence, left, right;
u32 torn;

void write_pair(unsigned value)
{
	store(&sequence, sequence + 1);
	fence_release();
	store(&left, value);
	store(&right, value);
	store_release(&sequence, sequence + 1);
}

void read_pair(void)
{
	u32 before, l, r;
	do {
		while ((before = load_acquire(&sequence)) & 1)
			pause();
		l = load(&left);
		r = load(&right);
		fence_acquire();
	} while (load(&sequence) != before);
	torn = l != r;
}

void read_pair_carelessly(void) { torn = load(&left) != load(&right); }

int pair_check(void) { return !torn; }

/* -- a reader-writer lock, a barrier, a reference count, publication ------------------------------------------- */

static u32 rw_word; /* the number of readers; the highest bit: a writer */
static u32 rw_left, rw_right;

void rw_write(void)
{
	do {
		while (load(&rw_word))
			pause();
	} while (!compare_and_swap(&rw_word, 0, 1u << 31));
	rw_left++;
	rw_right++;
	store_release(&rw_word, 0);
}

void rw_read(void)
{
	u32 old;
	do {
		while ((old = load(&rw_word)) >> 31)
			pause();
	} while (!compare_and_swap(&rw_word, old, old + 1));
	torn = rw_left != rw_right;
	fetch_sub(&rw_word, 1);
}

static u32 arrived, written[2];

void meet(unsigned me)
{
	written[me] = 1;
	fetch_add(&arrived, 1);
	while (load_acquire(&arrived) != 2)
		pause();
	if (!written[1 - me])
		torn = 1;
}

static u32 references = 2;
u32 freed;

void put(void)
{
	if (fetch_sub(&references, 1) == 1)
		freed++;
}

void put_carelessly(void)
{
	u32 old = load(&references);
	store(&references, old - 1);
	if (old == 1)
		freed++;
}

int freed_check(void) { return freed == 1; }

static struct node *published;

void publish(unsigned which)
{
	nodes[which].value = 7;
	store_release(&published, &nodes[which]);
}

void subscribe(void)
{
	struct node *node = load_acquire(&published);
	if (node && node->value != 7)
		torn = 1;
}

/* -- Dekker's idiom: at most one of both sees the other's flag unset --------------------------------------------- */

static u32 flags[2];
u32 entered;

void dekker(unsigned me)
{
	store(&flags[me], 1);
	fence();
	if (!load(&flags[1 - me]))
		fetch_add(&entered, 1);
}

void dekker_carelessly(unsigned me)
{
	store(&flags[me], 1);
	if (!load(&flags[1 - me]))
		fetch_add(&entered, 1);
}

int dekker_check(void) { return entered < 2; }
