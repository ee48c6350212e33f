/* Variables of a shared C library, of which an executable that is not position-independent has copies. */
#include <stdio.h>

extern char **environ;
#ifdef UNKNOWN
#include <unistd.h>
#endif
static int count;

int main(void)
{
	if (environ)
		return 1;
	count++;
	fprintf(stdout, "%d\n", count);
	fflush(stderr);
#ifdef UNKNOWN
	return optind - 1;
#else
	return 0;
#endif
}
