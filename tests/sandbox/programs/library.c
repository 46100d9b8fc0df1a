/* The C library in a sandbox: sorting through a pointer, setjmp, TLS, large frames, printf,
 * numbers. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 1000

static jmp_buf jump;
static __thread int thread_local = 5;

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static int fibonacci(int n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static void unwind(int depth)
{
    char frame[64];

    if (depth == 0) {
        longjmp(jump, 7);
    }
    memset(frame, depth, sizeof(frame));
    unwind(depth - 1);
    printf("never here: %d\n", frame[3]);
}

static void sort(void)
{
    int *values = malloc(COUNT * sizeof(*values));
    unsigned int random = 1, hash = 0;

    for (int i = 0; i < COUNT; i++) {
        random = random * 1103515245u + 12345u;
        values[i] = (int)(random >> 8);
    }
    qsort(values, COUNT, sizeof(*values), compare);
    for (int i = 0; i < COUNT; i++) {
        hash = hash * 31u + (unsigned int)values[i];
    }
    free(values);
    printf("sorted: %u\n", hash);
}

static int large_frame(int index)
{
    volatile char frame[100000];

    frame[index] = 3;
    frame[0] = (char)(frame[index] + 1);
    return frame[0];
}

int main(void)
{
    char *end;

    sort();
    printf("fibonacci: %d\n", fibonacci(15));
    if (setjmp(jump) == 0) {
        unwind(10);
    } else {
        printf("back from longjmp\n");
    }
    printf("thread-local: %d\n", ++thread_local);
    printf("large frame: %d\n", large_frame(77777));
    printf("%s %.6f %x %ld %g\n", "text", 3.14159 / 2, 0xbeefu, strtol("123abc", &end, 10),
           1e10 / 3);
    printf("rest: %s\n", end);
    return 0;
}
