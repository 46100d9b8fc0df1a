/*
 * Fuzz target: the sandbox's verifier, with code and claims out of the input. What it accepts runs
 * on the hart of tests/sandbox/model and must stay in its window. Input: one byte, the number of
 * claims, 8 bytes for each (word number modulo the code's length, mask), then the code; a landing
 * pad is put before and a trap behind it, so that most inputs begin and end well.
 */
#include <stdlib.h>
#include <string.h>

#include <ftl/sandbox_abi.h>

#include "kernel/sandbox/claims.h"
#include "kernel/sandbox/verify.h"
#include "tests/sandbox/model/window.h"

#define WORDS_MAX  256
#define CLAIMS_MAX 16
#define IMAGE_SIZE 0x3000u
#define RUNS       6
#define RUN_LIMIT  64
#define UNIMP      0xc0001073u

/* libFuzzer's name. NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes `bytes` bytes from the input's front; false if it has not as many. */
static bool take(const uint8_t **data, size_t *size, void *to, size_t bytes)
{
    if (*size < bytes) {
        return false;
    }
    memcpy(to, *data, bytes);
    *data += bytes;
    *size -= bytes;
    return true;
}

/* Ascending places, as the table's format demands; others would be refused at once. */
static size_t take_claims(const uint8_t **data, size_t *size, uint32_t table[CLAIMS_MAX][2])
{
    uint8_t wanted = 0;
    size_t count = 0;
    uint32_t place = FTL_GATE_SIZE;

    (void)take(data, size, &wanted, 1);
    while (count < wanted % (CLAIMS_MAX + 1) &&
           take(data, size, table[count], sizeof(table[count]))) {
        place += 4 + table[count][0] % 16 * 4;
        table[count++][0] = place;
    }
    return count;
}

/* Runs depend on the code alone, so that a finding is the same next time. */
static uint64_t seed_of(const uint32_t *words, size_t count)
{
    uint64_t seed = 0xcbf29ce484222325u; /* FNV-1a */

    for (size_t i = 0; i < count; i++) {
        seed = (seed ^ words[i]) * 0x100000001b3u;
    }
    return seed | 1;
}

static void run(const uint32_t *words, size_t count)
{
    struct window window = {
        .code = words, .count = count, .image_size = IMAGE_SIZE, .seed = seed_of(words, count)
    };

    for (unsigned int i = 0; i < RUNS; i++) {
        if (window_run(&window, RUN_LIMIT) != NULL) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t table[CLAIMS_MAX][2];
    size_t claims = take_claims(&data, &size, table);
    size_t count = size / 4 < WORDS_MAX ? size / 4 : WORDS_MAX;
    uint32_t *words = malloc((count + 2) * sizeof(words[0])); /* exactly, for ASan */
    uint8_t *targets = malloc(SANDBOX_TARGETS_SIZE((count + 2) * sizeof(words[0])));
    struct sandbox_verify_error error;
    struct sandbox_verify_input input = { .code = (const uint8_t *)words,
                                          .size = (count + 2) * sizeof(words[0]),
                                          .address = FTL_GATE_SIZE,
                                          .image_size = IMAGE_SIZE,
                                          .entry = FTL_GATE_SIZE,
                                          .claims = (const uint8_t *)table,
                                          .claims_size = claims * sizeof(table[0]),
                                          .targets = targets };

    words[0] = FTL_SANDBOX_PAD;
    memcpy(words + 1, data, count * sizeof(words[0]));
    words[count + 1] = UNIMP;
    if (sandbox_verify(&input, &error)) {
        run(words, count + 2);
    }
    free(targets);
    free(words);
    return 0;
}
