/* Indirect functions: a resolver chooses the code. */
#include "common.h"

#define INDIRECT(resolver) __attribute__((ifunc(#resolver)))

static u32 total, feature;

static void add_one(void) { __atomic_fetch_add(&total, 1, __ATOMIC_SEQ_CST); }
static void add_two(void) { __atomic_fetch_add(&total, 2, __ATOMIC_SEQ_CST); }
static void (*choose_add(void))(void) { return load(&feature) ? add_two : add_one; }
void add(void) INDIRECT(choose_add);
void work(void) { add(); }
int check(void) { return total == 2; }

/* Its resolver asks the processor, so that no code can be chosen. */
static void (*choose_nothing(void))(void)
{
	__builtin_trap();
}
void nothing(void) INDIRECT(choose_nothing);
void ask(void) { nothing(); }

/* As in a C library: a function that simaie runs itself needs no resolver. */
static char target[8], source[8] = { 1, 2, 3 };
static void *(*choose_memcpy(void))(void *, const void *, word)
{
	__builtin_trap();
}
void *memcpy(void *, const void *, word) INDIRECT(choose_memcpy);
void copy(word size) { memcpy(target, source, size); }
int copied(void) { return target[0] == 1 && target[2] == 3; }
