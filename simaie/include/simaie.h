/* What compiled code can say to simaie. Each function does nothing when the program runs natively; simaie recognises it
 * by its name. Include this header in the sources that simaie explores; it needs no library.
 *
 *     void thread(void) { simaie_call("push", 1); push(1); simaie_return(0); }
 */
#ifndef SIMAIE_H
#define SIMAIE_H

#ifdef __cplusplus
extern "C" {
#endif

#define SIMAIE_FUNCTION __attribute__((weak, noinline, used))

/* Return a number in [0, alternatives); every one of them is explored. Natively: 0. */
SIMAIE_FUNCTION unsigned simaie_choose(unsigned alternatives)
{
	__asm__ __volatile__("" : "+r"(alternatives));
	return alternatives & 0;
}

/* Leave out all executions in which the condition is false here; the others are explored. Natively: nothing. */
SIMAIE_FUNCTION void simaie_assume(int condition) { __asm__ __volatile__("" : : "r"(condition) : "memory"); }

/* Add VCPU:NAME = VALUE to the outcome. */
SIMAIE_FUNCTION void simaie_observe(const char *name, unsigned long value)
{
	__asm__ __volatile__("" : : "r"(name), "r"(value) : "memory");
}

/* State that the condition is to be true here in some execution; reports name the goals that never happened. */
SIMAIE_FUNCTION void simaie_sometimes(const char *name, int condition)
{
	__asm__ __volatile__("" : : "r"(name), "r"(condition) : "memory");
}
/* State that this place is to be reached in some execution. */
SIMAIE_FUNCTION void simaie_reachable(const char *name) { __asm__ __volatile__("" : : "r"(name) : "memory"); }

/* State that what follows, up to simaie_atomic_end(), is meant to be atomic; the checker `serializability` judges it. */
SIMAIE_FUNCTION void simaie_atomic_begin(const char *name) { __asm__ __volatile__("" : : "r"(name) : "memory"); }
SIMAIE_FUNCTION void simaie_atomic_end(void) { __asm__ __volatile__("" : : : "memory"); }

/* Record a call of an object and its result; checkers such as `linearizable-stack` judge them. */
SIMAIE_FUNCTION void simaie_call(const char *name, unsigned long argument)
{
	__asm__ __volatile__("" : : "r"(name), "r"(argument) : "memory");
}
/* The same for a method without an argument. */
SIMAIE_FUNCTION void simaie_call0(const char *name) { __asm__ __volatile__("" : : "r"(name) : "memory"); }
SIMAIE_FUNCTION void simaie_return(unsigned long value) { __asm__ __volatile__("" : : "r"(value) : "memory"); }
/* The same for a method that returns nothing, and for one that returns that it found nothing. */
SIMAIE_FUNCTION void simaie_return_nothing(void) { __asm__ __volatile__("" : : : "memory"); }

#ifdef __cplusplus
}
#endif
#endif
