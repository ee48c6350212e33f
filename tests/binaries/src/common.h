/* What the guests share: short names for the compiler's atomics. No header of a C library is needed. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned long word;

#define load(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define exchange(p, v) __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL)
#define fetch_add(p, v) __atomic_fetch_add(p, v, __ATOMIC_ACQ_REL)
#define fetch_sub(p, v) __atomic_fetch_sub(p, v, __ATOMIC_ACQ_REL)
#define fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define fence_acquire() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define fence_release() __atomic_thread_fence(__ATOMIC_RELEASE)
#define compare_and_swap(p, old, new)                                                                                  \
	({                                                                                                             \
		__typeof__(*(p)) expected_ = (old);                                                                    \
		__atomic_compare_exchange_n(p, &expected_, new, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);                \
	})

#if defined(__x86_64__) || defined(__i386__)
#define pause() __builtin_ia32_pause()
#else
#define pause() ((void)0)
#endif
