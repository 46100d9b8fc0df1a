/*
 * What the compiler makes of C: calls of every kind, switches, jumps, frames, atomics. The volatile
 * operands keep it from computing results itself.
 */
#include "selftest.h"

#include <alloca.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- Calls ---- */

struct pair {
    int64_t a;
    double b;
};

struct large {
    int values[40];
};

static __attribute__((noinline)) double sum_of_many(int count, ...)
{
    va_list values, again;
    double sum = 0;
    va_start(values, count);
    va_copy(again, values);
    for (int i = 0; i < count; i++) {
        sum += va_arg(values, int);
        sum += va_arg(values, double);
        struct pair pair = va_arg(values, struct pair);
        sum += (double)pair.a + pair.b;
    }
    sum += va_arg(again, int); /* the first once more */
    va_end(again);
    va_end(values);
    return sum;
}

static bool arguments_may_be_many_and_various(void)
{
    struct pair pair = { 3, 0.25 };
    EXPECT(sum_of_many(1, 1, 0.5, pair) == 5.75);
    EXPECT(sum_of_many(3, 1, 0.5, pair, 10, 0.5, pair, 100, 0.5, pair) == 123.25);
    return true;
}

static __attribute__((noinline)) struct large make_large(struct large from, int add)
{
    for (size_t i = 0; i < 40; i++) {
        from.values[i] += add;
    }
    return from;
}

static bool structs_are_passed_and_returned_by_value(void)
{
    struct large first = { { 1, 2, 3 } };
    struct large second = make_large(first, 5);
    EXPECT(first.values[2] == 3 && second.values[2] == 8 && second.values[39] == 5);
    return true;
}

static int add(int a, int b)
{
    return a + b;
}

static int subtract(int a, int b)
{
    return a - b;
}

static int multiply(int a, int b)
{
    return a * b;
}

typedef int operation(int, int);
static operation *const operations[] = { add, subtract, multiply };

static __attribute__((noinline)) operation *choose(size_t which)
{
    return operations[which % 3];
}

static int descending(const void *a, const void *b)
{
    return *(const int *)b - *(const int *)a;
}

static bool functions_are_called_through_pointers(void)
{
    operation *volatile kept = choose(1);
    int values[100];
    int result = 7;
    for (size_t i = 0; i < 299; i++) {
        result = choose(i)(result, 3);
        result %= 1000;
    }
    EXPECT(result == 669);
    EXPECT(kept(50, 8) == 42 && choose(0) == add && choose(2)(6, 7) == 42);
    for (int i = 0; i < 100; i++) {
        values[i] = i * 37 % 100;
    }
    qsort(values, 100, sizeof(values[0]), descending);
    EXPECT(values[0] == 99 && values[50] == 49 && values[99] == 0);
    return true;
}

static __attribute__((noinline)) unsigned int ackermann(unsigned int m, unsigned int n)
{
    if (m == 0) {
        return n + 1;
    }
    return n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

static bool recursion_comes_back(void)
{
    EXPECT(ackermann(2, 9) == 21 && ackermann(3, 3) == 61);
    return true;
}

/* ---- Switches ---- */

static __attribute__((noinline)) int dense(int value)
{
    switch (value) {
    case -2: return 11;
    case -1: return 22;
    case 0: return 31;
    case 1: return 47;
    case 2: return 53;
    case 3: return 68;
    case 4: return 71;
    case 5: return 89;
    case 6:
    case 7: return 97;
    case 9: return 103;
    default: return -1;
    }
}

static __attribute__((noinline)) int sparse(uint64_t value)
{
    switch (value) {
    case 0: return 1;
    case 1000: return 2;
    case 0xffffffff: return 3;
    case 0x100000000: return 4;
    case 0x8000000000000000: return 5;
    case UINT64_MAX: return 6;
    default: return 0;
    }
}

static bool switches_find_their_cases(void)
{
    static const int expected[] = { -1, 11, 22, 31, 47, 53, 68, 71, 89, 97, 97, -1, 103, -1 };
    for (int i = -3; i <= 10; i++) {
        EXPECT(dense(i) == expected[i + 3]);
    }
    EXPECT(dense(INT32_MAX) == -1 && dense(INT32_MIN) == -1);
    EXPECT(sparse(0) == 1 && sparse(1000) == 2 && sparse(0xffffffff) == 3);
    EXPECT(sparse(0x100000000) == 4 && sparse(0x8000000000000000) == 5 && sparse(UINT64_MAX) == 6);
    EXPECT(sparse(1) == 0 && sparse(0x1000003e8) == 0);
    return true;
}

/* ---- Jumps ---- */

static jmp_buf outer, inner;

static __attribute__((noinline)) void jump_from_below(int depth, int value)
{
    volatile char frame[100];
    frame[depth % 100] = 1;
    if (depth > 0) {
        jump_from_below(depth - 1, value);
    } else {
        longjmp(value < 10 ? inner : outer, value);
    }
    frame[0] = frame[depth % 100];
}

static bool jumps_may_be_nested_and_far(void)
{
    volatile double kept = 1.5;
    volatile int inner_seen = 0;
    int value = setjmp(outer);
    if (value == 0) {
        int again = setjmp(inner);
        inner_seen = inner_seen + again;
        jump_from_below(20, again == 0 ? 5 : 50);
    }
    EXPECT(value == 50 && inner_seen == 5 && kept == 1.5);
    EXPECT(setjmp(inner) < 2); /* longjmp(..., 0) is 1 */
    if (inner_seen == 5) {
        inner_seen = 6;
        longjmp(inner, 0);
    }
    return true;
}

/* ---- Frames ---- */

static __attribute__((noinline)) unsigned int large_frame(unsigned int depth)
{
    volatile unsigned char bytes[3 << 20]; /* more than a window's guard zone */
    unsigned int sum = depth;
    for (size_t i = 0; i < sizeof(bytes); i += 65521) {
        bytes[i] = (unsigned char)(i + depth);
        sum += bytes[i];
    }
    if (depth > 0) {
        sum += large_frame(depth - 1);
    }
    return sum + bytes[0];
}

static void *use_large_frames(void *argument)
{
    *(unsigned int *)argument = large_frame(2);
    return argument;
}

static bool frames_may_be_large(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    unsigned int sums[2] = { 0 };
    EXPECT(pthread_attr_init(&attributes) == 0);
    EXPECT(pthread_attr_setstacksize(&attributes, (size_t)12 << 20) == 0);
    for (int i = 0; i < 2; i++) {
        EXPECT(pthread_create(&thread, &attributes, use_large_frames, &sums[i]) == 0);
        EXPECT(pthread_join(thread, NULL) == 0);
    }
    EXPECT(sums[0] != 0 && sums[0] == sums[1]);
    return true;
}

static __attribute__((noinline)) size_t use_alloca(size_t size)
{
    char *bytes = alloca(size);
    memset(bytes, 'x', size);
    bytes[size - 1] = '\0';
    return strlen(bytes);
}

static bool frames_may_vary(void)
{
    for (size_t size = 1; size < 100000; size = size * 3 + 1) {
        EXPECT(use_alloca(size) == size - 1);
    }
    alignas(256) volatile char aligned[256];
    aligned[0] = 1;
    EXPECT((uintptr_t)aligned % 256 == 0 && aligned[0] == 1);
    return true;
}

/* ---- Atomics, and memory of threads ---- */

#define THREADS 4
#define ROUNDS  3000

static atomic_uchar byte_sum;
static atomic_ushort half_sum;
static atomic_uint word_sum;
static atomic_ullong double_sum;
static atomic_flag flag = ATOMIC_FLAG_INIT;
static unsigned int guarded;
static _Thread_local alignas(64) unsigned int own[16] = { 5 };

static void *add_up(void *argument)
{
    for (unsigned int i = 0; i < ROUNDS; i++) {
        unsigned long long seen = atomic_load(&double_sum);
        atomic_fetch_add(&byte_sum, 1);
        atomic_fetch_add(&half_sum, 3);
        atomic_fetch_xor(&word_sum, 1u << i % 32);
        while (!atomic_compare_exchange_weak(&double_sum, &seen, seen + 0x100000001)) {
        }
        while (atomic_flag_test_and_set(&flag)) {
        }
        guarded++;
        atomic_flag_clear(&flag);
        own[i % 16]++;
    }
    return (uintptr_t)own % 64 == 0 && own[0] == 5 + (ROUNDS + 15) / 16 ? argument : NULL;
}

static bool atomics_of_every_size_count_right(void)
{
    pthread_t threads[THREADS];
    void *result;
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, add_up, &threads[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], &result) == 0 && result == &threads[i]);
    }
    EXPECT(byte_sum == (unsigned char)(THREADS * ROUNDS));
    EXPECT(half_sum == (unsigned short)(3 * THREADS * ROUNDS));
    EXPECT(word_sum == 0 && guarded == THREADS * ROUNDS && own[0] == 5);
    EXPECT(double_sum == 0x100000001ull * THREADS * ROUNDS);
    EXPECT(atomic_exchange(&double_sum, 1) != 1 && atomic_fetch_sub(&double_sum, 2) == 1);
    EXPECT(atomic_fetch_and(&double_sum, 0xff) == UINT64_MAX &&
           atomic_fetch_or(&double_sum, 0x100) == 0xff);
    return true;
}

const struct check language_checks[] = {
    { "arguments may be many and various", arguments_may_be_many_and_various },
    { "structs are passed and returned by value", structs_are_passed_and_returned_by_value },
    { "functions are called through pointers", functions_are_called_through_pointers },
    { "recursion comes back", recursion_comes_back },
    { "switches find their cases", switches_find_their_cases },
    { "jumps may be nested and far", jumps_may_be_nested_and_far },
    { "frames may be large", frames_may_be_large },
    { "frames may vary", frames_may_vary },
    { "atomics of every size count right", atomics_of_every_size_count_right },
    { 0 },
};
