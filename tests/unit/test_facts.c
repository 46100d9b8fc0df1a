/*
 * Soundness of the sandbox's facts, by execution: random straight-line computations run on a small
 * interpreter beside the abstract machine, and after every instruction each register must have a
 * value that its facts allow. Arguments: seed, instructions.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <ftl/sandbox_abi.h>

#include "kernel/sandbox/disassemble.h"
#include "kernel/sandbox/facts.h"
#include "riscv_encode.h"
#include "tests/sandbox/model/window.h"

#define WINDOW       0xffffffd900000000u
#define MAPPABLE     (WINDOW + FTL_WINDOW_GUARD)
#define MAPPABLE_END (WINDOW + ((uint64_t)1 << FTL_WINDOW_SHIFT) - FTL_WINDOW_GUARD)
#define IMAGE        (MAPPABLE + 0x200000)
#define IMAGE_SIZE   0x100000u
#define BLOCK        40 /* instructions from one fresh state */

static uint64_t seed = 1;
static uint64_t total = 400000;

static uint64_t random64(void)
{
    return random_next(&seed);
}

static uint64_t below(uint64_t limit)
{
    return random64() % limit;
}

/* ---- Memory: the window's mappable part, whose bytes may be anything ---- */

static uint64_t anything(void *context)
{
    (void)context;
    return below(4) == 0 ? UINT64_MAX : random64();
}

static bool load(void *context, uint64_t address, unsigned int size, uint64_t *value)
{
    *value = anything(context) >> (64 - 8 * size);
    return address >= MAPPABLE && address <= MAPPABLE_END - size;
}

static bool store(void *context, uint64_t address, unsigned int size, uint64_t value)
{
    (void)value;
    return load(context, address, size, &(uint64_t){ 0 });
}

static const struct machine_bus bus = { .load = load, .store = store, .anything = anything };

/* ---- The comparison ---- */

static bool allows(struct sandbox_value value, uint64_t concrete)
{
    switch (value.kind) {
    case SANDBOX_VALUE_NUMBER:
        return (int64_t)concrete >= value.low && (int64_t)concrete <= value.high;
    case SANDBOX_VALUE_IMAGE:
        return (int64_t)(concrete - IMAGE) >= value.low &&
               (int64_t)(concrete - IMAGE) <= value.high &&
               (concrete - IMAGE - (uint64_t)value.low) % 4 == 0;
    case SANDBOX_VALUE_WINDOW:
        return (int64_t)(concrete - MAPPABLE) >= value.low &&
               (int64_t)(concrete - MAPPABLE_END) <= value.high;
    default: return true;
    }
}

static void compare(const struct sandbox_state *state, const struct machine *machine, uint32_t word)
{
    struct sandbox_decoder decoder;
    char text[64];

    for (unsigned int i = 0; i < 32; i++) {
        struct sandbox_value value = sandbox_get(state, i);

        if (!allows(value, machine->x[i])) {
            sandbox_decoder_init(&decoder);
            sandbox_disassemble(&decoder, word, text, sizeof(text));
            fail_msg("%s: %s is %#" PRIx64 ", not of kind %d, %" PRId64 "..%" PRId64, text,
                     sandbox_register_name(i), machine->x[i], (int)value.kind, value.low,
                     value.high);
        }
    }
}

static uint64_t interesting_value(void)
{
    static const uint64_t values[] = {
        0,          1,          2,           UINT64_MAX, 0x7fffffff,
        0x80000000, 0xffffffff, 0x100000000, INT64_MAX,  0x8000000000000000u,
        WINDOW,     WINDOW - 1, MAPPABLE,    IMAGE,      MAPPABLE_END,
        0xffff,     0x10000,    0x200000000
    };

    uint64_t value = values[below(sizeof(values) / sizeof(values[0]))];

    switch (below(4)) {
    case 0: return value;
    case 1: return value + below(4096) - 2048; /* as far as an access's offset reaches */
    case 2: return random64() >> below(64);
    default: return random64();
    }
}

/* A random word of a form the facts care about more often than not, over few registers. */
static uint32_t random_word(void)
{
    static const uint8_t registers[] = { ZERO, SP, GP, TP, S8, A0, A1, A2, A3, A4, S9 };
    static const uint8_t written[] = { ZERO, SP, A0, A1, A2, A3, A4, S9 };
    const struct sandbox_form *form;
    uint32_t word;

    do {
        form = &sandbox_forms[below(sandbox_form_count)];
    } while (form->class >= SANDBOX_CLASS_BRANCH ||
             (form->class == SANDBOX_CLASS_OTHER && below(4) != 0));
    word = (uint32_t)random64();
    if (below(2) == 0) { /* a small immediate, or a small shift */
        word &= 0x07ffffffu;
    }
    word = (word & ~0x01ff8f80u) | (uint32_t)written[below(sizeof(written))] << 7 |
           (uint32_t)registers[below(sizeof(registers))] << 15 |
           (uint32_t)registers[below(sizeof(registers))] << 20;
    return (word & ~form->mask) | form->match;
}

static void begin(struct sandbox_state *state, struct machine *machine)
{
    state->image_size = IMAGE_SIZE;
    sandbox_state_reset(state);
    for (unsigned int i = 1; i < 32; i++) {
        machine->x[i] = interesting_value();
    }
    machine->x[ZERO] = 0;
    machine->x[GP] = WINDOW;
    machine->x[TP] = WINDOW + (random64() >> 32);
    machine->x[S8] = FTL_SANDBOX_SPAN;
    machine->x[SP] = MAPPABLE - (uint64_t)SANDBOX_SLACK + below(3) * (uint64_t)SANDBOX_SLACK;
    if (below(2) == 0) {
        machine->x[SP] = MAPPABLE_END + (uint64_t)SANDBOX_SLACK - below(2);
    }
    machine->pc = IMAGE + FTL_GATE_SIZE + below(IMAGE_SIZE / 8) * 4;
    machine->bus = &bus;
}

static void facts_hold_in_every_run(void **state)
{
    struct sandbox_decoder decoder;
    struct sandbox_state facts;
    struct machine machine;
    uint64_t known = 0;

    (void)state;
    sandbox_decoder_init(&decoder);
    for (uint64_t done = 0; done < total; done++) {
        struct sandbox_insn insn;
        uint32_t word = random_word();

        if (done % BLOCK == 0) {
            begin(&facts, &machine);
        }
        if (!sandbox_decode(&decoder, word, &insn) || insn.rd == GP || insn.rd == TP ||
            insn.rd == S8 || insn.rd == S11 ||
            (sandbox_is_access(&insn) && !sandbox_access_fits(&facts, &insn)) ||
            machine_step(&machine, word) != MACHINE_STEPPED) {
            continue;
        }
        sandbox_step(&facts, &insn, machine.pc - 4 - IMAGE);
        compare(&facts, &machine, word);
        known += insn.rd != 0 && sandbox_get(&facts, insn.rd).kind != SANDBOX_VALUE_ANY;
    }
    assert_true(known > total / 20); /* or else nothing was tested */
}

static void equal_registers_share_facts_that_hold(void **state)
{
    static const unsigned int kinds[] = { ZERO, SP, GP, TP, A0, A1, A2, A3 };
    struct sandbox_state facts;
    struct machine machine;

    (void)state;
    for (unsigned int i = 0; i < 20000; i++) {
        unsigned int a = kinds[below(8)], b = kinds[below(8)];

        begin(&facts, &machine);
        sandbox_set(&facts, A1, (struct sandbox_value){ SANDBOX_VALUE_NUMBER, -5, 100 });
        machine.x[A1] = below(100) - 5;
        sandbox_set(&facts, A2, (struct sandbox_value){ SANDBOX_VALUE_WINDOW, -4, 70 });
        machine.x[A2] = MAPPABLE_END + 70 - below(2) * 100;
        sandbox_set(&facts, A3, (struct sandbox_value){ SANDBOX_VALUE_IMAGE, 64, 64 });
        machine.x[A3] = IMAGE + 64;
        if (below(2) == 0) { /* or they would hardly ever be equal */
            machine.x[A0] = machine.x[b];
        }
        if (machine.x[a] == machine.x[b]) {
            sandbox_assume(&facts, SANDBOX_COMPARE_EQUAL, a, b);
            compare(&facts, &machine, 0);
        }
    }
}

/* sub a2, a0, gp; bgeu a1, a2: for any a0, when a1 is some number known in part. */
static void offset_that_is_no_larger_proves_an_address(void **state)
{
    struct sandbox_decoder decoder;
    struct sandbox_state facts;
    struct machine machine;
    unsigned int proved = 0;

    (void)state;
    sandbox_decoder_init(&decoder);
    for (unsigned int i = 0; i < 20000; i++) {
        uint32_t word = SUB(A2, A0, below(8) == 0 ? S8 : GP);
        unsigned int bound = below(3) == 0 ? A1 : S8;
        struct sandbox_insn insn;

        begin(&facts, &machine);
        machine.x[A1] = below(2) == 0 ? below(0x100000000) : machine.x[A1] & 0x1ffffffff;
        if (machine.x[A1] <= FTL_SANDBOX_SPAN || below(2) == 0) {
            sandbox_set(&facts, A1,
                        (struct sandbox_value){ SANDBOX_VALUE_NUMBER, 0,
                                                machine.x[A1] <= FTL_SANDBOX_SPAN
                                                    ? FTL_SANDBOX_SPAN
                                                    : SANDBOX_BOUND_MAX });
        }
        assert_true(sandbox_decode(&decoder, word, &insn));
        assert_int_equal(machine_step(&machine, word), MACHINE_STEPPED);
        sandbox_step(&facts, &insn, machine.pc - 4 - IMAGE);
        if (machine.x[bound] >= machine.x[A2]) {
            sandbox_assume(&facts, SANDBOX_COMPARE_NOT_LESS, bound, A2);
            compare(&facts, &machine, word);
            proved += sandbox_is_near(&facts, A0);
        }
    }
    assert_true(proved > 1000);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_hold_in_every_run),
        cmocka_unit_test(equal_registers_share_facts_that_hold),
        cmocka_unit_test(offset_that_is_no_larger_proves_an_address),
    };

    if (argc > 1) {
        seed = strtoull(argv[1], NULL, 0);
    }
    if (argc > 2) {
        total = strtoull(argv[2], NULL, 0);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
