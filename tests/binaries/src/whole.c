/* A whole program: ARGV[1] threads increment a counter ARGV[2] times each, under a lock that ARGV[3] names. */
#include "common.h"

typedef unsigned long pthread_t;
typedef union { u32 word; u64 room[5]; } pthread_mutex_t;
extern int pthread_create(pthread_t *, const void *, void *(*)(void *), void *);
extern int pthread_join(pthread_t, void **);
extern int pthread_mutex_lock(pthread_mutex_t *), pthread_mutex_unlock(pthread_mutex_t *);
extern int atoi(const char *);
extern int printf(const char *, ...);
extern void exit(int);

static pthread_mutex_t mutex;
static u32 word_, counter;

struct work {
	int rounds;
	char lock;
};

static void *run(void *argument)
{
	struct work *work = argument;
	for (int round = 0; round < work->rounds; round++) {
		if (work->lock == 'm')
			pthread_mutex_lock(&mutex);
		if (work->lock == 's')
			while (exchange(&word_, 1))
				while (load(&word_))
					pause();
		counter++;
		if (work->lock == 'm')
			pthread_mutex_unlock(&mutex);
		if (work->lock == 's')
			store_release(&word_, 0);
	}
	return 0;
}

int main(int argc, char **argv)
{
	pthread_t threads[4];
	int count = atoi(argv[1]);
	if (argc != 4)
		exit(2);
	struct work work = { atoi(argv[2]), argv[3][0] };
	for (int number = 0; number < count; number++)
		pthread_create(&threads[number], 0, run, &work);
	for (int number = 0; number < count; number++)
		pthread_join(threads[number], 0);
	printf("%u\n", counter);
	return counter != (u32)(count * work.rounds);
}
