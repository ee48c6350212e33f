/* Memory that is constant, private or shared, faults, and what a debugger shows; each function is one case of a test. */
#include "common.h"

static const u32 table[4] = { 3, 1, 4, 1 };
u32 total, zero;
static u32 *shared_pointer;
u32 words[8];

/* Registers, constants and the stack only: no step. */
u32 constants(u32 a)
{
	volatile u32 local[4];
	for (u32 i = 0; i < 4; i++)
		local[i] = table[i] * a;
	return local[0] + local[1] + local[2] + local[3];
}

/* One load and one store. */
void add_constants(void) { total += table[total & 3]; }

/* The address of a local variable becomes known to the other thread. */
void lend(void)
{
	volatile u32 local = 5;
	store_release(&shared_pointer, (u32 *)&local);
	while (load_acquire(&shared_pointer))
		pause();
	total = local;
}

void borrow(void)
{
	u32 *there;
	while (!(there = load_acquire(&shared_pointer)))
		pause();
	*there += 2;
	store_release(&shared_pointer, (u32 *)0);
}

int lent_check(void) { return total == 7; }

/* A delay loop: no access. */
void delay(u32 rounds)
{
	for (u32 i = rounds; i; i--)
		__asm__ __volatile__("");
	total++;
}

void endless(void)
{
	for (;;)
		__asm__ __volatile__("");
}

/* An address of which the compiler knows nothing. */
static word hidden(word address)
{
	__asm__("" : "+r"(address));
	return address;
}

void null(void) { *(volatile u32 *)hidden(0) = 1; }
void read_null(void) { total = *(volatile u32 *)hidden(4); }
void write_constant(void) { *(volatile u32 *)table = 1; }
void jump(void) { ((void (*)(void))hidden((word)words))(); }
#if !defined(__arm__)
void divide(void) { total = 7 / *(volatile u32 *)&zero; }
#endif
void wild(void) { *(volatile u32 *)hidden(0x7fff0000) = 1; }

void trap(void) { __builtin_trap(); }

/* getpid(), number 20 or 172 or 39. */
void system_call(void)
{
#if defined(__x86_64__)
	__asm__ __volatile__("syscall" : : "a"(39) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
	register word number __asm__("x8") = 172;
	__asm__ __volatile__("svc #0" : : "r"(number) : "memory");
#else
	register word number __asm__("r7") = 20;
	__asm__ __volatile__("svc #0" : : "r"(number) : "memory");
#endif
}

u32 deep(u32 n)
{
	volatile u32 local[16];
	local[n & 15] = n;
	return n ? deep(n - 1) + local[n & 15] : 0;
}
void overflow(void) { total = deep(1000000); }

/* A spin that only looks, one that counts, and a wait for ever. */
void wait_for(u32 value)
{
	while (load(&total) != value)
		pause();
}
void set(u32 value) { store(&total, value); }

int never(void) { return 0; }
int always(void) { return 1; }
void nothing(void) {}

__thread u32 mine = 40;
void thread_local(void) { mine += 2; store(&words[0], mine); }
int thread_local_check(void) { return words[0] == 42; }

/* A call in a call, inlined: the page shows all three lines. */
static inline __attribute__((always_inline)) void inner(u32 value) { store(&words[1], value); }
static inline __attribute__((always_inline)) void middle(u32 value) { inner(value + 1); }
void outer(void) { middle(1); }

#if defined(__x86_64__) || defined(__i386__)
#if defined(__x86_64__)
#define STACK "rsp"
#else
#define STACK "esp"
#endif
void plain_add(void) { __asm__ __volatile__("addl $1, %0" : "+m"(total) : : "cc"); }
void locked_add(void) { __asm__ __volatile__("lock addl $1, %0" : "+m"(total) : : "cc"); }
void stack_fence(void) { __asm__ __volatile__("lock orl $0, -4(%%" STACK ")" : : : "cc", "memory"); total = 1; }
void set_bit(void) { __asm__ __volatile__("lock btsl $3, %0" : "+m"(words[0]) : : "cc"); }
void set_far_bit(void) { __asm__ __volatile__("lock btsl %1, %0" : "+m"(words[0]) : "r"(70) : "cc"); }
void unmodelled(void) { __asm__ __volatile__("cpuid" : : : "eax", "ebx", "ecx", "edx"); }
#endif
