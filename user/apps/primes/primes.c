/*
 * Primes up to N, as a work-out for the C library: malloc, threads, qsort through a function
 * pointer, recursion, setjmp, floating point. The output depends on N alone.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_LIMIT 100000
#define MAX_LIMIT     10000000
#define THREADS       4
#define SHOWN         5

static unsigned char *composite; /* one byte per number up to the limit */

/* Counts the primes in [first, last]. */
struct count_job {
    pthread_t thread;
    unsigned long first;
    unsigned long last;
    unsigned long count;
};

static void sieve(unsigned long limit)
{
    composite[0] = 1;
    composite[1] = 1;
    for (unsigned long i = 2; i * i <= limit; i++) {
        if (!composite[i]) {
            for (unsigned long multiple = i * i; multiple <= limit; multiple += i) {
                composite[multiple] = 1;
            }
        }
    }
}

static void *count_range(void *argument)
{
    struct count_job *job = argument;
    for (unsigned long i = job->first; i <= job->last; i++) {
        job->count += !composite[i];
    }
    return job;
}

/* Each of the threads counts its part; false when one cannot be started or joined. */
static bool count_in_threads(unsigned long limit, unsigned long *count)
{
    struct count_job jobs[THREADS];
    unsigned long part = limit / THREADS;

    *count = 0;
    for (unsigned long i = 0; i < THREADS; i++) {
        jobs[i] = (struct count_job){
            .first = i * part + (i != 0),
            .last = i == THREADS - 1 ? limit : (i + 1) * part,
        };
        int error = pthread_create(&jobs[i].thread, NULL, count_range, &jobs[i]);
        if (error != 0) {
            fprintf(stderr, "primes: thread %lu: %s\n", i, strerror(error));
            return false;
        }
    }
    for (unsigned long i = 0; i < THREADS; i++) {
        void *result;
        if (pthread_join(jobs[i].thread, &result) != 0 || result != &jobs[i]) {
            return false;
        }
        *count += jobs[i].count;
    }
    return true;
}

/* Orders by the digits read backwards. */
static unsigned long reversed(unsigned long number)
{
    unsigned long result = 0;
    for (; number != 0; number /= 10) {
        result = result * 10 + number % 10;
    }
    return result;
}

static int compare_reversed(const void *a, const void *b)
{
    unsigned long left = reversed(*(const unsigned long *)a);
    unsigned long right = reversed(*(const unsigned long *)b);
    return (left > right) - (left < right);
}

static bool show_sorted(unsigned long limit, unsigned long count)
{
    unsigned long *primes = malloc((count != 0 ? count : 1) * sizeof(*primes));
    unsigned long used = 0;

    if (primes == NULL) {
        return false;
    }
    for (unsigned long i = 2; i <= limit && used < count; i++) {
        if (!composite[i]) {
            primes[used++] = i;
        }
    }
    qsort(primes, used, sizeof(*primes), compare_reversed);
    printf("last by reversed digits:");
    for (unsigned long i = used < SHOWN ? 0 : used - SHOWN; i < used; i++) {
        printf(" %lu", primes[i]);
    }
    printf("\n");
    free(primes);
    return true;
}

/* Jumps out of the recursion with the smallest even number whose two primes it finds none for. */
static void check_goldbach(unsigned long number, unsigned long limit, jmp_buf *failed)
{
    if (number > limit) {
        return;
    }
    for (unsigned long i = 2; i <= number / 2; i++) {
        if (!composite[i] && !composite[number - i]) {
            check_goldbach(number + 2, limit, failed);
            return;
        }
    }
    longjmp(*failed, (int)number);
}

/* Goldbach's conjecture from 2 on: 2 itself is no sum of two primes, so that the jump is always
 * tried. */
static void show_goldbach(unsigned long limit)
{
    jmp_buf failed;
    int number = setjmp(failed);
    if (number == 0) {
        check_goldbach(2, limit < 1000 ? limit : 1000, &failed);
    } else {
        printf("not a sum of two primes: %d\n", number);
    }
    check_goldbach(4, limit < 1000 ? limit : 1000, &failed);
}

static void show_statistics(unsigned long limit, unsigned long count)
{
    double reciprocals = 0;
    for (unsigned long i = 2; i <= limit; i++) {
        if (!composite[i]) {
            reciprocals += 1.0 / (double)i;
        }
    }
    printf("sum of reciprocals: %.12f\n", reciprocals);
    printf("count / (N / ln N): %.6f\n", (double)count * log((double)limit) / (double)limit);
}

static bool parse_limit(const char *text, unsigned long *limit)
{
    char *end;
    errno = 0;
    *limit = strtoul(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *limit >= 2 && *limit <= MAX_LIMIT;
}

int main(int argc, char **argv)
{
    unsigned long limit = DEFAULT_LIMIT;
    unsigned long count;

    if (argc > 2 || (argc == 2 && !parse_limit(argv[1], &limit))) {
        fprintf(stderr, "usage: primes [N]   (2 <= N <= %d)\n", MAX_LIMIT);
        return 2;
    }
    composite = calloc(limit + 1, 1);
    if (composite == NULL) {
        fprintf(stderr, "primes: out of memory\n");
        return EXIT_FAILURE;
    }
    sieve(limit);
    if (!count_in_threads(limit, &count)) {
        return EXIT_FAILURE;
    }
    printf("primes up to %lu: %lu\n", limit, count);
    if (!show_sorted(limit, count)) {
        fprintf(stderr, "primes: out of memory\n");
        return EXIT_FAILURE;
    }
    show_goldbach(limit);
    show_statistics(limit, count);
    free(composite);
    return EXIT_SUCCESS;
}
