/* A whole program that computes much and shares little: two threads draw ARGV[1] numbers each and add their last one. */
typedef unsigned long pthread_t;
typedef struct { unsigned long room[5]; } pthread_mutex_t;
extern int pthread_create(pthread_t *, const void *, void *(*)(void *), void *);
extern int pthread_join(pthread_t, void **);
extern int pthread_mutex_lock(pthread_mutex_t *), pthread_mutex_unlock(pthread_mutex_t *);
extern void *malloc(unsigned long);
extern int atoi(const char *), printf(const char *, ...);

static pthread_mutex_t mutex;
static unsigned rounds, sum;

static void *run(void *argument)
{
	unsigned number = *(unsigned *)argument;
	for (unsigned round = 0; round < rounds; round++) {
		number ^= number << 13;
		number ^= number >> 17;
		number ^= number << 5;
	}
	pthread_mutex_lock(&mutex);
	sum += number;
	pthread_mutex_unlock(&mutex);
	return 0;
}

int main(int argc, char **argv)
{
	pthread_t threads[2];
	rounds = atoi(argv[1]);
	for (int number = 0; number < 2; number++) {
		unsigned *seed = malloc(sizeof *seed);
		*seed = number + 1;
		pthread_create(&threads[number], 0, run, seed);
	}
	for (int number = 0; number < 2; number++)
		pthread_join(threads[number], 0);
	printf("%u\n", sum);
	return argc != 2;
}
