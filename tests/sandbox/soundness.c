/*
 * Soundness of the verifier, by execution. A random walk through the programs that it accepts:
 * words and claims are changed at random, mostly into what instrumented code is made of, and what
 * it still accepts stays. All along the program runs on the hart of model/, and must not get out of
 * its window. Arguments: instructions to execute, seed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ftl/sandbox_abi.h>

#include "kernel/sandbox/claims.h"
#include "kernel/sandbox/disassemble.h"
#include "kernel/sandbox/verify.h"
#include "model/window.h"
#include "riscv_encode.h"

#define WORDS         56
#define SPARE         8 /* behind the code, so that a piece always fits */
#define IMAGE_SIZE    0x3000u
#define CHANGES       160 /* tried after each position had its turn */
#define TRIES         3   /* at each position */
#define RUNS_EVERY    12  /* changes that were accepted */
#define RUNS          12
#define RUN_LIMIT     120
#define DEFAULT_STEPS 400000u
#define DEFAULT_SEED  20261125u

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct program {
    uint32_t words[WORDS + SPARE];
    uint32_t claims[WORDS + SPARE];
};

/* ---- The verifier ---- */

static bool accepted(const struct program *program, struct sandbox_verify_error *error)
{
    static uint8_t targets[SANDBOX_TARGETS_SIZE(sizeof(program->words))];
    uint32_t table[WORDS][2];
    size_t claims = 0;

    for (uint32_t i = 0; i < WORDS; i++) {
        if (program->claims[i] != 0) {
            table[claims][0] = FTL_GATE_SIZE + i * 4;
            table[claims++][1] = program->claims[i];
        }
    }
    return sandbox_verify(&(struct sandbox_verify_input){ .code = (const uint8_t *)program->words,
                                                          .size = sizeof(uint32_t) * WORDS,
                                                          .address = FTL_GATE_SIZE,
                                                          .image_size = IMAGE_SIZE,
                                                          .entry = FTL_GATE_SIZE,
                                                          .claims = (const uint8_t *)table,
                                                          .claims_size = claims * sizeof(table[0]),
                                                          .targets = targets },
                          error);
}

/* ---- Pieces of programs ---- */

struct walk {
    uint64_t seed;
    struct program program;
    uint32_t *at; /* where the next word of the piece goes */
};

static uint64_t below(struct walk *walk, uint64_t limit)
{
    return random_below(&walk->seed, limit);
}

static void put(struct walk *walk, uint32_t word)
{
    *walk->at++ = word;
}

static size_t index_of(const struct walk *walk)
{
    return (size_t)(walk->at - walk->program.words);
}

/* Few registers, so that pieces meet. */
static uint32_t random_register(struct walk *walk)
{
    static const uint8_t registers[] = { A0, A0, A1, A1, A2, RA, SP, S9, S10, S0, T0 };

    return registers[below(walk, COUNT(registers))];
}

static uint32_t random_source(struct walk *walk)
{
    static const uint8_t special[] = { ZERO, GP, TP, S8, S11 };

    return below(walk, 5) == 0 ? special[below(walk, COUNT(special))] : random_register(walk);
}

static int32_t random_offset(struct walk *walk)
{
    switch (below(walk, 4)) {
    case 0: return 0;
    case 1: return (int32_t)below(walk, 33) - 16;
    case 2: return below(walk, 2) == 0 ? 2047 : -2048;
    default: return (int32_t)below(walk, 4096) - 2048;
    }
}

/* The distance to some instruction of the program, rather a near one. */
static int32_t random_distance(struct walk *walk)
{
    int32_t here = (int32_t)index_of(walk);
    int32_t to =
        below(walk, 3) == 0 ? (int32_t)below(walk, WORDS) : here + (int32_t)below(walk, 13) - 6;

    if (below(walk, 64) == 0) {
        return (int32_t)below(walk, 64) - 32; /* perhaps to no instruction at all */
    }
    return (to - here) * 4;
}

static void put_access(struct walk *walk, uint32_t base)
{
    static const uint32_t loads[] = { 0x00000003, 0x00001003, 0x00002003, 0x00003003, 0x00004003,
                                      0x00005003, 0x00006003, 0x00002007, 0x00003007 };
    static const uint32_t stores[] = { 0x00000023, 0x00001023, 0x00002023,
                                       0x00003023, 0x00002027, 0x00003027 };
    static const uint32_t atomics[] = { 0x1000302f, 0x1800302f, 0x0000302f, 0x0800202f,
                                        0x1000202f, 0x1800202f, 0xe000302f };
    uint32_t other = random_register(walk);

    switch (below(walk, 4)) {
    case 0:
    case 1:
        put(walk, enc_i(loads[below(walk, COUNT(loads))], other, base, random_offset(walk)));
        break;
    case 2:
        put(walk, enc_s(stores[below(walk, COUNT(stores))], other, base, random_offset(walk)));
        break;
    default: put(walk, enc_r(atomics[below(walk, COUNT(atomics))], other, base, 0)); break;
    }
}

/* Any permitted form with some operands. */
static void put_any_form(struct walk *walk)
{
    const struct sandbox_form *form = &sandbox_forms[below(walk, sandbox_form_count)];
    uint32_t word = (uint32_t)random_next(&walk->seed);

    if (below(walk, 2) == 0) {
        word &= 0x07ffffffu; /* a small immediate, or a small shift */
    }
    word &= ~(31u << 7 | 31u << 15 | 31u << 20);
    word |= random_register(walk) << 7 | random_source(walk) << 15 | random_source(walk) << 20;
    put(walk, (word & ~form->mask) | form->match);
}

/* What makes addresses: sums, masks, constants. */
static void put_arithmetic(struct walk *walk)
{
    static const uint32_t operations[] = { 0x00000033, 0x40000033, 0x00007033,
                                           0x0800003b, 0x20002033, 0x20006033,
                                           0x2000203b, 0x2000603b, 0x0a005033 };
    static const uint32_t immediates[] = { 0x00000013, 0x0000001b, 0x00007013 };
    static const uint32_t shifts[] = { 0x00001013, 0x00005013, 0x0000501b };
    uint32_t rd = random_register(walk), rs1 = random_source(walk);

    switch (below(walk, 6)) {
    case 0:
        put(walk, enc_i(immediates[below(walk, COUNT(immediates))], rd, rs1, random_offset(walk)));
        break;
    case 1:
        put(walk, enc_i(shifts[below(walk, COUNT(shifts))], rd, rs1, (int32_t)below(walk, 32)));
        break;
    case 2:
        put(walk, LUI(rd, below(walk, 2) == 0 ? below(walk, 0x300) : below(walk, 0x100000)));
        break;
    case 3:
        put(walk, AUIPC(rd, below(walk, 2) == 0 ? below(walk, 4) : below(walk, 0x100000)));
        break;
    default:
        put(walk, enc_r(operations[below(walk, COUNT(operations))], rd, rs1, random_source(walk)));
        break;
    }
}

static void put_guard(struct walk *walk, uint32_t r)
{
    switch (below(walk, 6)) {
    case 0: put(walk, MASK(r)); break;
    case 1:
        put(walk, ADDUW(S9, r, GP));
        put(walk, below(walk, 2) == 0 ? BEQ(S9, r, 8) : BEQ(r, S9, 8));
        put(walk, EBREAK);
        break;
    case 2:
        put(walk, SLLI(r, r, 32));
        put(walk, SRLI(r, r, 32 + (int32_t)below(walk, 2)));
        put(walk, ADD(r, r, GP));
        break;
    case 3:
        put(walk, AND(r, r, below(walk, 8) == 0 ? random_source(walk) : S8));
        put(walk, ADD(r, r, GP));
        break;
    case 4:
        put(walk, SUB(S9, r, below(walk, 8) == 0 ? random_source(walk) : GP));
        put(walk, BGEU(below(walk, 8) == 0 ? random_source(walk) : S8, S9, 8));
        put(walk, EBREAK);
        break;
    default: put(walk, ADDUW(random_register(walk), r, GP)); break;
    }
}

/* Loads the word at a target and compares it. */
static void put_target_check(struct walk *walk, uint32_t target)
{
    put(walk, ADDUW(target, below(walk, 2) == 0 ? target : random_register(walk), GP));
    put(walk, LW(S10, below(walk, 16) == 0 ? random_offset(walk) : 0, target));
    put(walk, BEQ(S10, S11, 8));
    put(walk, EBREAK);
}

static void put_jump(struct walk *walk)
{
    static const uint8_t links[] = { ZERO, ZERO, ZERO, RA, RA, RA, T0 };
    uint32_t link = links[below(walk, COUNT(links))];
    uint32_t base = random_register(walk);

    switch (below(walk, 6)) {
    case 0: put(walk, JAL(link, random_distance(walk))); break;
    case 1: {
        int32_t entry = (int32_t)below(walk, FTL_GATE_ENTRIES + 1) * FTL_GATE_ENTRY_SIZE;
        put(walk, JAL(link, entry - (int32_t)(FTL_GATE_SIZE + index_of(walk) * 4)));
        break;
    }
    case 2:
        put_target_check(walk, base);
        put(walk,
            JALR(link, below(walk, 8) == 0 ? random_offset(walk) : (int32_t)below(walk, 2) * 4,
                 base));
        break;
    case 3:
        put_target_check(walk, RA);
        put(walk, RET);
        return;
    case 4: put(walk, RET); return;
    default: put(walk, JALR(link, random_offset(walk), base)); break;
    }
    if (link != ZERO && below(walk, 16) != 0) {
        put(walk, PAD);
    }
}

static void put_branch(struct walk *walk)
{
    static const uint32_t branches[] = { 0x00000063, 0x00001063, 0x00004063,
                                         0x00005063, 0x00006063, 0x00007063 };
    uint32_t base = branches[below(walk, COUNT(branches))];
    uint32_t a = random_source(walk), b = random_source(walk);

    if (below(walk, 4) == 0) { /* a far branch */
        put(walk, enc_b(base, a, b, 8));
        put(walk, JAL(ZERO, random_distance(walk)));
    } else {
        put(walk, enc_b(base, a, b, random_distance(walk)));
    }
}

/* A loop that steps a pointer and relies on what is claimed of it. */
static void put_loop(struct walk *walk)
{
    uint32_t pointer = random_register(walk);
    size_t head;

    put_guard(walk, pointer);
    head = index_of(walk);
    walk->program.claims[head] |= 1u << pointer;
    put_access(walk, pointer);
    put(walk, ADDI(pointer, pointer, random_offset(walk)));
    put(walk, BNE(A0, A1, ((int32_t)head - (int32_t)index_of(walk)) * 4));
}

/* A switch: a jump into the row of jumps behind it, by an index that is bounded, mostly. */
static void put_table(struct walk *walk)
{
    uint32_t index = random_register(walk), at = random_register(walk);
    int32_t last = below(walk, 2) == 0 ? 1 : 3;

    put(walk, ANDI(index, random_source(walk), below(walk, 16) == 0 ? 7 : last));
    put(walk, AUIPC(at, 0));
    put(walk, enc_r(below(walk, 16) == 0 ? 0x20006033u : 0x20004033u, at, index, at)); /* sh2add */
    put(walk, JALR(ZERO, below(walk, 16) == 0 ? random_offset(walk) : 12, at));
    for (int32_t i = 0; i <= last; i++) {
        put(walk, below(walk, 32) == 0 ? NOP : JAL(ZERO, random_distance(walk)));
    }
}

static void change_claim(struct walk *walk)
{
    uint32_t *claims = &walk->program.claims[below(walk, WORDS)];

    *claims = below(walk, 4) == 0 ? 0 : *claims | 1u << random_register(walk);
}

static void put_piece(struct walk *walk)
{
    uint32_t r = random_register(walk);

    switch (below(walk, 17)) {
    case 0: put_any_form(walk); break;
    case 1:
    case 2:
    case 3: put_arithmetic(walk); break;
    case 4: put_guard(walk, r); break;
    case 5:
        put_guard(walk, r);
        put_access(walk, r);
        break;
    case 6:
    case 7: put_access(walk, random_source(walk)); break;
    case 8:
    case 9: put_jump(walk); break;
    case 10:
    case 11: put_branch(walk); break;
    case 12: put(walk, PAD); break;
    case 13: *walk->at ^= 1u << below(walk, 32); break;
    case 14: put_loop(walk); break;
    case 15: put_table(walk); break;
    default: put(walk, ADDI(r, random_source(walk), random_offset(walk))); break;
    }
}

/*
 * Changes the program at word number `at`, or somewhere a claim; takes that back if it is refused.
 */
static bool change(struct walk *walk, size_t at)
{
    struct program before = walk->program;
    struct sandbox_verify_error error;

    walk->at = &walk->program.words[at];
    if (below(walk, 8) == 0) {
        change_claim(walk);
    } else {
        put_piece(walk);
    }
    memset(&walk->program.words[WORDS], 0, SPARE * sizeof(walk->program.words[0]));
    memset(&walk->program.claims[WORDS], 0, SPARE * sizeof(walk->program.claims[0]));
    if (accepted(&walk->program, &error)) {
        return true;
    }
    walk->program = before;
    return false;
}

/* ---- The test ---- */

static void show(const struct program *program, const struct window *window)
{
    static struct sandbox_decoder decoder;
    char text[SANDBOX_TEXT_MAX];
    uint64_t pc = window->machine.pc - window->image - FTL_GATE_SIZE;

    sandbox_decoder_init(&decoder);
    for (uint32_t i = 0; i < WORDS; i++) {
        sandbox_disassemble(&decoder, program->words[i], text, sizeof(text));
        printf("%s%3" PRIu32 "  %08" PRIx32 "  %-28s", pc == i * 4 ? "->" : "  ", i,
               program->words[i], text);
        printf(program->claims[i] == 0 ? "\n" : "claims %#" PRIx32 "\n", program->claims[i]);
    }
    for (unsigned int i = 0; i < 32; i++) {
        printf("%5s %016" PRIx64 "%s", sandbox_register_name(i), window->machine.x[i],
               i % 4 == 3 ? "\n" : "");
    }
}

/* Runs the program many times. False, with all that there is to say, if it gets out. */
static bool stays_inside(struct walk *walk, struct window *window)
{
    for (unsigned int i = 0; i < RUNS; i++) {
        const char *escape = window_run(window, RUN_LIMIT);

        if (escape != NULL) {
            printf("accepted code %s:\n", escape);
            show(&walk->program, window);
            return false;
        }
    }
    return true;
}

/* One walk, from a program that is all traps. */
static bool walk_once(struct walk *walk, struct window *window)
{
    unsigned int changes = 0;

    memset(&walk->program, 0, sizeof(walk->program));
    for (size_t i = 0; i < WORDS; i++) {
        walk->program.words[i] = i == 0 ? PAD : UNIMP;
    }
    for (size_t i = 0; i < WORDS * TRIES + CHANGES; i++) {
        size_t at = i < (size_t)WORDS * TRIES ? i / TRIES : below(walk, WORDS);

        changes += change(walk, at);
        if (changes % RUNS_EVERY == 0 && !stays_inside(walk, window)) {
            return false;
        }
    }
    return stays_inside(walk, window);
}

int main(int argc, char **argv)
{
    uint64_t limit = argc > 1 ? strtoull(argv[1], NULL, 0) : DEFAULT_STEPS;
    struct walk walk = { .seed = argc > 2 ? strtoull(argv[2], NULL, 0) : DEFAULT_SEED };
    struct window window = {
        .code = walk.program.words, .count = WORDS, .image_size = IMAGE_SIZE, .seed = walk.seed
    };
    uint64_t walks = 0;

    while (window.steps < limit) {
        if (!walk_once(&walk, &window)) {
            return EXIT_FAILURE;
        }
        walks++;
    }
    printf("%" PRIu64 " instructions of accepted programs in %" PRIu64 " walks, none got out\n",
           window.steps, walks);
    return EXIT_SUCCESS;
}
