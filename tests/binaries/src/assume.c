#include "common.h"
#include <simaie.h>

unsigned flag, seen_and_more;

void writer(void)
{
	store(&flag, 1);
}

/* Only executions in which the flag was set before matter. */
void reader(void)
{
	unsigned seen = load(&flag);
	simaie_assume(seen == 1);
	store(&seen_and_more, seen + 1);
}

int check(void)
{
	return seen_and_more == 2;
}

/* Waits for the reader for ever if its assumption is false. */
void waiter(void)
{
	while (!load(&seen_and_more))
		pause();
}
