/* Every kind of memory access in a sandbox: sizes, signs, floating point, atomics, structures,
 * strings. */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

union cell {
    int8_t s8[8];
    uint8_t u8[8];
    int16_t s16[4];
    uint16_t u16[4];
    int32_t s32[2];
    uint32_t u32[2];
    int64_t s64;
    float f32[2];
    double f64;
};

static _Atomic int counter;
static _Atomic long wide;

static void sizes(union cell *cell)
{
    cell->s64 = -0x0123456789abcdef;
    printf("%d %u %d %u %d %u %lld\n", cell->s8[1], cell->u8[1], cell->s16[1], cell->u16[1],
           cell->s32[1], cell->u32[1], (long long)cell->s64);
    cell->f32[1] = 1.5f;
    printf("%g %llx\n", (double)cell->f32[1], (long long)cell->s64);
    cell->f64 = 2.25;
    printf("%g\n", cell->f64);
}

static void atomics(_Atomic int *word, _Atomic long *big)
{
    int expected = 5;

    atomic_fetch_add(word, 5);
    printf("exchanged: %d\n", atomic_compare_exchange_strong(word, &expected, 9));
    expected = 1;
    printf("exchanged: %d, saw %d\n", atomic_compare_exchange_weak(word, &expected, 7), expected);
    atomic_fetch_or(word, 0x100);
    atomic_exchange(big, 1L << 40);
    atomic_fetch_sub(big, 3);
    printf("%d %ld\n", atomic_load(word), atomic_load(big));
}

static double matrix(void)
{
    enum { N = 24 };
    static double a[N][N], b[N][N], c[N][N];
    double trace = 0;

    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            a[i][j] = i + j;
            b[i][j] = i * j - j;
        }
    }
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            for (int k = 0; k < N; k++) {
                c[i][j] += a[i][k] * b[k][j];
            }
        }
        trace += c[i][i];
    }
    return trace;
}

static uint32_t crc(const unsigned char *data, size_t size)
{
    uint32_t value = ~0u;

    while (size-- > 0) {
        value ^= *data++;
        for (int bit = 0; bit < 8; bit++) {
            value = value >> 1 ^ (value & 1 ? 0xedb88320u : 0);
        }
    }
    return ~value;
}

int main(void)
{
    static char text[5000];
    union cell cell;

    sizes(&cell);
    atomics(&counter, &wide);
    printf("matrix: %g\n", matrix());
    for (unsigned int i = 0; i < sizeof(text) - 1; i++) {
        text[i] = (char)('a' + i * i % 26);
    }
    memmove(text + 7, text, 4000);
    printf("crc: %08x of %zu, first z at %td\n", crc((unsigned char *)text, sizeof(text)),
           strlen(text), strchr(text, 'z') == NULL ? -1 : strchr(text, 'z') - text);
    return 0;
}
