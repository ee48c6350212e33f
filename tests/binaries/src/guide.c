#include <simaie.h>

struct node {
    struct node *next;
    long value;
};

static struct node nodes[3];
static struct node *top;
struct node *popped;

void push(unsigned which)
{
    struct node *node = &nodes[which], *old = __atomic_load_n(&top, __ATOMIC_RELAXED);
    do {
        node->next = old;
    } while (!__atomic_compare_exchange_n(&top, &old, node, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

/* Load-linked and store-conditional around the load of the next node: no A-B-A, on a real processor. */
static struct node *take(void)
{
    struct node *first, *next;
    unsigned failed;
    __asm__ volatile("1: ldaxr %0, [%3]\n"
                     "   cbz   %0, 2f\n"
                     "   ldr   %1, [%0]\n"
                     "   stlxr %w2, %1, [%3]\n"
                     "   cbnz  %w2, 1b\n"
                     "2:"
                     : "=&r"(first), "=&r"(next), "=&r"(failed)
                     : "r"(&top)
                     : "memory");
    return first;
}

void setup(void)
{
    push(1);
    push(0);
}

void pop(void)
{
    popped = take();
}

/* Takes the first node, pushes another one, and puts the first one back. */
void pop_and_push(void)
{
    struct node *node = take();
    push(2);
    if (node)
        push(node - nodes);
}

/* Each of the three nodes is on the stack or was popped. */
int check(void)
{
    unsigned seen = popped ? 1u << (popped - nodes) : 0;
    for (struct node *node = top; node; node = node->next)
        seen |= 1u << (node - nodes);
    return seen == 7;
}
