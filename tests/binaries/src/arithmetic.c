/* Functions of two numbers whose results an oracle computes too: shifts, flags, multiplications, bytes, loops. */
#include "common.h"

typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;

static u32 memory[16];

void *memset(void *to, int value, unsigned long count)
{
	volatile u8 *at = to;
	while (count--)
		*at++ = (u8)value;
	return to;
}

void *memcpy(void *to, const void *from, unsigned long count)
{
	volatile u8 *at = to;
	const u8 *source = from;
	while (count--)
		*at++ = *source++;
	return to;
}

u32 f_product(u32 a, u32 b) { u64 x = (u64)a * b; return (u32)(x >> 32) ^ (u32)x; }
u32 f_shifts(u32 a, u32 b) { return ((s32)a >> (b & 31)) ^ (a << (b & 31)) ^ (a >> (b & 31)); }
u32 f_compare(u32 a, u32 b) { return ((s32)a < (s32)b ? a : b) + (a < b ? 3 : 5) + ((s32)a >= -7) + (a == b); }
u32 f_wide(u32 a, u32 b)
{
	u64 x = ((u64)a << 32) | b;
	x += 0x123456789abcdefULL;
	x -= (u64)b << 17;
	x ^= x >> 29;
	x *= 0x9e3779b97f4a7c15ULL;
	return (u32)(x >> 32) + (u32)x;
}
u32 f_memory(u32 a, u32 b)
{
	u32 sum = 0;
	memory[a & 15] = b;
	((u8 *)memory)[b & 63] = (u8)a;
	((u16 *)memory)[(a ^ b) & 31] = (u16)(a + b);
	for (int i = 0; i < 16; i++)
		sum = sum * 31 + memory[i];
	return sum;
}
u32 f_narrow(u32 a, u32 b) { return (u32)((s8)a * (s16)b) + (u8)(a >> 3) - (u16)(b >> 5); }
u32 f_loop(u32 a, u32 b)
{
	u32 n = 0;
	for (; a; a >>= 1, b = b << 1 | b >> 31)
		if (a & 1)
			n += b;
	return n;
}
u32 f_bits(u32 a, u32 b) { return __builtin_clz(a | 1) + __builtin_ctz(b | 1u << 31) * 37 + __builtin_bswap32(a ^ b); }
u32 f_switch(u32 a, u32 b)
{
	switch (a & 15) {
	case 0: return b;
	case 1: return b * 3;
	case 2: return b ^ a;
	case 3: return b + 7;
	case 4: return ~b;
	case 5: return b >> 2;
	case 6: return b | a;
	case 7: return b & a;
	case 9: return b - a;
	default: return a;
	}
}
u32 f_signed(u32 a, u32 b)
{
	s64 x = (s64)(s32)a * (s32)b;
	x -= (s64)(s32)b << 7;
	return x < 0 ? (u32)-x : (u32)(x >> 9);
}
#if defined(__aarch64__) || defined(__x86_64__) || defined(__i386__) || defined(__riscv) || defined(__mips__) || defined(__powerpc64__)
u32 f_divide(u32 a, u32 b) { b |= 1; return a / b + a % b * 3 + (u32)((s32)(a >> 1) / (s32)(b >> 1 | 1)) * 5; }
u32 f_divide_signed(u32 a, u32 b) { s32 d = (s32)(b | 1); if (d == -1) d = 3; return (u32)((s32)a / d) ^ (u32)((s32)a % d); }
#endif
static u32 add(u32 *to, const u32 *a, const u32 *b, int n)
{
	u64 carry = 0;
	for (int i = 0; i < n; i++) {
		carry += (u64)a[i] + b[i];
		to[i] = (u32)carry;
		carry >>= 32;
	}
	return (u32)carry;
}
static u32 multiply_add(u32 *to, const u32 *a, int n, u32 factor)
{
	u64 carry = 0;
	for (int i = 0; i < n; i++) {
		carry += (u64)a[i] * factor + to[i];
		to[i] = (u32)carry;
		carry >>= 32;
	}
	return (u32)carry;
}
u32 f_bignum(u32 a, u32 b)
{
	u32 x[8], y[8], z[16];
	for (int i = 0; i < 8; i++) {
		x[i] = a * (i + 1) + b;
		y[i] = b * (i + 3) ^ a;
	}
	memset(z, 0, sizeof z);
	for (int i = 0; i < 8; i++)
		z[i + 8] = multiply_add(z + i, x, 8, y[i]);
	u32 sum = add(z, z, z + 8, 8);
	for (int i = 0; i < 16; i++)
		sum = sum * 33 + z[i];
	return sum;
}
u32 f_crc(u32 a, u32 b)
{
	u32 crc = ~a;
	for (int i = 0; i < 4; i++) {
		crc ^= b >> 8 * i & 255;
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (0xedb88320 & -(crc & 1));
	}
	return ~crc;
}
u32 f_rotate(u32 a, u32 b) { u32 n = b & 31; return (a << n | a >> (-n & 31)) + (a >> 7 | a << 25); }
u32 f_minmax(u32 a, u32 b)
{
	s32 x = (s32)a, y = (s32)b;
	return (u32)(x > y ? x : y) ^ (a > b ? b : a) << 1 ^ (u32)(x < 0 ? -x : x);
}
u32 f_carry(u32 a, u32 b)
{
	u32 sum, difference;
	u32 over = __builtin_add_overflow(a, b, &sum), under = __builtin_sub_overflow(a, b, &difference);
	s32 s;
	u32 signed_over = __builtin_add_overflow((s32)a, (s32)b, &s) | __builtin_sub_overflow((s32)a, (s32)b, &s) << 1;
	return sum ^ difference ^ over << 7 ^ under << 11 ^ signed_over << 17;
}
u32 f_shift_wide(u32 a, u32 b)
{
	u64 x = (u64)a << 32 | b;
	u32 n = a & 63;
	x = x << n | x >> (-n & 63);
	return (u32)((s64)x >> (b & 63)) ^ (u32)(x >> 17);
}
u32 f_bytes(u32 a, u32 b)
{
	u8 text[16];
	for (int i = 0; i < 8; i++) {
		text[i] = (u8)(a >> 4 * i);
		text[15 - i] = (u8)(b >> 3 * i);
	}
	u32 hash = 2166136261u;
	for (int i = 0; i < 16; i++)
		hash = (hash ^ text[i]) * 16777619u;
	return hash + *(s8 *)&text[a & 15] + ((u16)text[b & 15] << 8);
}
static u32 recurse(u32 n, u32 m) { return n < 2 ? m : recurse(n - 1, m * 5 + n) ^ recurse(n - 2, m + 1); }
u32 f_recursion(u32 a, u32 b) { return recurse(a % 7, b); }
u32 f_pointer(u32 a, u32 b)
{
	static u32 (*const table[4])(u32, u32) = { f_product, f_shifts, f_carry, f_rotate };
	return table[a & 3](b, a) + table[b & 3](a, b);
}
static u32 count_ones(u32 a) { u32 n = 0; for (; a; a &= a - 1) n++; return n; }
u32 f_parity(u32 a, u32 b) { return (count_ones(a) & 1) + count_ones(b) * 3 + (u8)(a * b > 77 ? -1 : 4); }
