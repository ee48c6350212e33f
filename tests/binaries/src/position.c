/* Position-independent code: the functions and variables are reached through tables that a dynamic linker fills. */
#include "common.h"

int counter;
static int *const where = &counter;
int step(void);
int (*volatile chosen)(void) = step;

int step(void)
{
	return __atomic_fetch_add(where, 1, __ATOMIC_ACQ_REL);
}

void work(void) { chosen(); }
void careless(void) { (*where)++; }
int check(void) { return counter == 2; }
