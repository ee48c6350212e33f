#include "common.h"
#include <simaie.h>

unsigned flag;

void writer(void)
{
	store(&flag, 1);
}

/* Goals that happen in some executions, in all that reach their place, and in none. */
void reader(void)
{
	unsigned seen = load(&flag);
	simaie_sometimes("set", seen == 1);
	simaie_sometimes("two", seen == 2);
	if (seen == 1)
		simaie_reachable("late");
	if (seen == 3)
		simaie_reachable("never");
}
