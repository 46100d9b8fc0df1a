/*
 * The instrumenter: what it makes of canonical assembly, guard by guard, and what it refuses. That
 * the result verifies and runs is tested in tests/sandbox.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "user/toolchain/rewrite.h"

static const struct rewrite_options trap = { .trap = true, .zba = true };
static const struct rewrite_options mask = { .trap = false, .zba = true };
static const struct rewrite_options mask_no_zba = { .trap = false, .zba = false };
static const struct rewrite_options trap_no_zba = { .trap = true, .zba = false };
static struct rewrite_error error;

#define PAD          "\tlui\tzero, 0x4654c\n"
#define STOP         "\tebreak\n"
#define CHECK_PAD    "\tbeq\ts10, s11, .+8\n" STOP
#define GUARD(r)     "\tadd.uw\ts9, " r ", gp\n\tbeq\ts9, " r ", .+8\n" STOP
#define MASK(r)      "\tadd.uw\t" r ", " r ", gp\n"
#define CHECK_SUB(r) "\tsub\ts9, " r ", gp\n\tbgeu\ts8, s9, .+8\n" STOP
#define MASK_AND(r)  "\tand\t" r ", " r ", s8\n\tadd\t" r ", " r ", gp\n"
#define CHECK_RA     MASK("ra") "\tlw\ts10, 0(ra)\n" CHECK_PAD

/* The rewritten text, to be freed; NULL if it was refused. */
static char *rewrite(const char *text, const struct rewrite_options *options)
{
    char *output = NULL;
    size_t size;
    FILE *out = open_memstream(&output, &size);
    bool good = rewrite_assembly(text, options, out, &error);

    fclose(out);
    if (!good) {
        free(output);
        return NULL;
    }
    return output;
}

/* Demands that text, rewritten, is expected. */
static void expect(const char *text, const struct rewrite_options *options, const char *expected)
{
    char *output = rewrite(text, options);

    if (output == NULL) {
        fail_msg("refused: %s", error.message);
    }
    assert_string_equal(output, expected);
    free(output);
}

static void expect_refusal(const char *text, unsigned long line, const char *part)
{
    char *output = rewrite(text, &trap);

    if (output != NULL) {
        fail_msg("accepted, and made:\n%s", output);
    }
    assert_int_equal(error.line, line);
    if (strstr(error.message, part) == NULL) {
        fail_msg("'%s' is not in '%s'", part, error.message);
    }
}

/* A function f with this body, which must end in a jump. */
#define F(body)     ".globl f\nf:\n" body
#define F_OUT(body) ".globl f\nf:\n" PAD body

static void functions_start_with_a_pad(void **state)
{
    (void)state;
    expect(F("\tjalr\tzero, 0(ra)\n"), &trap, F_OUT("\tjalr\tzero, 0(ra)\n"));
}

static void access_through_unknown_register_is_guarded_once(void **state)
{
    (void)state;
    expect(F("\tlw\ta1, 0(a0)\n\tlw\ta2, 4(a0)\n\tunimp\n"), &trap,
           F_OUT(GUARD("a0") "\tlw\ta1, 0(a0)\n\tlw\ta2, 4(a0)\n\tunimp\n"));
    expect(F("\tsd\ta1, 0(a0)\n\tsd\ta2, 4(a0)\n\tunimp\n"), &mask,
           F_OUT(MASK("a0") "\tsd\ta1, 0(a0)\n\tsd\ta2, 4(a0)\n\tunimp\n"));
    expect(F("\tfld\tfa1, 0(a0)\n\tunimp\n"), &mask_no_zba,
           F_OUT(MASK_AND("a0") "\tfld\tfa1, 0(a0)\n\tunimp\n"));
    expect(F("\tlw\ta1, 0(a0)\n\tlw\ta2, 4(a0)\n\tunimp\n"), &trap_no_zba,
           F_OUT(CHECK_SUB("a0") "\tlw\ta1, 0(a0)\n\tlw\ta2, 4(a0)\n\tunimp\n"));
    expect(F("\tld\tra, 8(sp)\n\tjalr\tzero, 0(ra)\n"), &trap_no_zba,
           F_OUT("\tld\tra, 8(sp)\n" MASK_AND("ra") "\tlw\ts10, 0(ra)\n" CHECK_PAD
                                                    "\tjalr\tzero, 0(ra)\n"));
}

static void atomics_are_guarded(void **state)
{
    (void)state;
    expect(F("\tlr.d.aq\ta1, (a0)\n\tsc.d.rl\ta2, a3, (a0)\n\tunimp\n"), &mask,
           F_OUT(MASK("a0") "\tlr.d.aq\ta1, (a0)\n\tsc.d.rl\ta2, a3, (a0)\n\tunimp\n"));
    expect(F("\tamoadd.w.aqrl\tzero, a1, (a0)\n\tunimp\n"), &mask,
           F_OUT(MASK("a0") "\tamoadd.w.aqrl\tzero, a1, (a0)\n\tunimp\n"));
}

static void access_at_absolute_address_uses_scratch(void **state)
{
    (void)state;
    expect(F("\tlw\ta1, 16(zero)\n\tunimp\n"), &mask,
           F_OUT("\tadd.uw\ts9, zero, gp\n\tlw\ta1, 16(s9)\n\tunimp\n"));
}

static void pointer_steps_need_no_new_guard(void **state)
{
    (void)state;
    expect(F("\tlw\ta1, 0(a0)\n\taddi\ta0, a0, 4\n\tlw\ta1, 0(a0)\n\tunimp\n"), &mask,
           F_OUT(MASK("a0") "\tlw\ta1, 0(a0)\n\taddi\ta0, a0, 4\n\tlw\ta1, 0(a0)\n\tunimp\n"));
}

static void written_register_is_guarded_again(void **state)
{
    (void)state;
    expect(F("\tld\ta0, 0(a0)\n\tld\ta0, 0(a0)\n\tunimp\n"), &mask,
           F_OUT(MASK("a0") "\tld\ta0, 0(a0)\n" MASK("a0") "\tld\ta0, 0(a0)\n\tunimp\n"));
}

#define CLAIM(label, mask)                                                                         \
    "\t.pushsection\t.ftl.claims,\"o\",@0x80f71001,.text\n"                                        \
    "\t.word\t" label ", " mask "\n\t.popsection\n"

static void facts_are_claimed_around_a_loop(void **state)
{
    (void)state;
    expect(
        F("\tlw\ta1, 0(a0)\n.L1:\n\tlw\ta1, 0(a0)\n\taddi\ta0, a0, 4\n"
          "\tbne\ta1, zero, .L1\n\tunimp\n"),
        &mask,
        F_OUT(MASK("a0") "\tlw\ta1, 0(a0)\n.L1:\n" CLAIM(
            ".L1", "0x400") "\tlw\ta1, 0(a0)\n\taddi\ta0, a0, 4\n\tbne\ta1, zero, .L1\n\tunimp\n"));
    /* A label nobody branches to is no join. */
    expect(F("\tlw\ta1, 0(a0)\n.L1:\n\tlw\ta1, 0(a0)\n\tunimp\n"), &mask,
           F_OUT(MASK("a0") "\tlw\ta1, 0(a0)\n.L1:\n\tlw\ta1, 0(a0)\n\tunimp\n"));
}

static void facts_that_one_way_lacks_are_not_claimed(void **state)
{
    (void)state;
    /* The loop loads its pointer anew. */
    expect(F("\tlw\ta1, 0(a0)\n.L1:\n\tld\ta0, 0(a0)\n\tbne\ta0, zero, .L1\n\tunimp\n"), &mask,
           F_OUT(MASK("a0") "\tlw\ta1, 0(a0)\n.L1:\n" MASK(
               "a0") "\tld\ta0, 0(a0)\n\tbne\ta0, zero, .L1\n\tunimp\n"));
}

static void guard_moves_out_of_a_loop(void **state)
{
    (void)state;
    expect(F("\taddi\ta2, a1, 0\n.L1:\n\tlw\ta1, 0(a0)\n\tbne\ta1, zero, .L1\n\tunimp\n"), &trap,
           F_OUT("\taddi\ta2, a1, 0\n" GUARD("a0") ".L1:\n" CLAIM(
               ".L1", "0x400") "\tlw\ta1, 0(a0)\n\tbne\ta1, zero, .L1\n\tunimp\n"));
}

static void copied_pointer_is_guarded_before_the_copy(void **state)
{
    (void)state;
    expect(F("\taddi\ts0, a0, 0\n\tlw\ta1, 0(a0)\n\tlw\ta1, 0(s0)\n\tunimp\n"), &mask,
           F_OUT(MASK("a0") "\taddi\ts0, a0, 0\n\tlw\ta1, 0(a0)\n\tlw\ta1, 0(s0)\n\tunimp\n"));
    /* but not if nobody accesses memory through either */
    expect(F("\taddi\ts0, a0, 0\n\tlw\ta1, 0(sp)\n\tunimp\n"), &mask,
           F_OUT("\taddi\ts0, a0, 0\n\tlw\ta1, 0(sp)\n\tunimp\n"));
}

static void guard_stays_where_the_access_may_not_happen(void **state)
{
    (void)state;
    /* Whether a0 is used depends on a2: it may be no pointer at all. */
    expect(F("\taddi\ta2, a1, 0\n.L1:\n\tbeq\ta2, zero, .L2\n\tlw\ta2, 0(a0)\n"
             "\tjal\tzero, .L1\n.L2:\n\tjalr\tzero, 0(ra)\n"),
           &mask,
           F_OUT("\taddi\ta2, a1, 0\n.L1:\n" CLAIM(".L1", "0x2") "\tbeq\ta2, zero, .L2\n" MASK(
               "a0") "\tlw\ta2, 0(a0)\n\tjal\tzero, .L1\n.L2:\n" CLAIM(".L2", "0x2") "\tjalr\tzero,"
                                                                                     " 0(ra)\n"));
}

static void guard_does_not_move_over_a_call(void **state)
{
    (void)state;
    expect(F("\taddi\ta2, a1, 0\n.L1:\n\tcall\tg\n\tlw\ta1, 0(s0)\n\tbne\ta1, zero, .L1\n"
             "\tunimp\n"),
           &mask,
           F_OUT("\taddi\ta2, a1, 0\n.L1:\n\tjal\tra, g+4\n" PAD MASK(
               "s0") "\tlw\ta1, 0(s0)\n\tbne\ta1, zero, .L1\n\tunimp\n"));
}

static void local_function_needs_no_pad_and_keeps_facts(void **state)
{
    (void)state;
    expect(F("\tlw\ta1, 0(a0)\n\tcall\tg\n\tunimp\n\t.type\tg,@function\ng:\n"
             "\tlw\ta0, 4(a0)\n\tjalr\tzero, 0(ra)\n"),
           &mask,
           F_OUT(MASK("a0") "\tlw\ta1, 0(a0)\n\tjal\tra, g\n" PAD
                            "\tunimp\n\t.type\tg,@function\ng:\n" CLAIM(
                                "g", "0x402") "\tlw\ta0, 4(a0)\n\tjalr\tzero, 0(ra)\n"));
}

static void stack_and_globals_need_no_guard(void **state)
{
    (void)state;
    const char *body = "\taddi\tsp, sp, -32\n\tsd\tra, 24(sp)\n.Lpcrel_hi0:\n"
                       "\tauipc\ta0, %pcrel_hi(x)\n\tlw\ta0, %pcrel_lo(.Lpcrel_hi0)(a0)\n"
                       "\tlw\ta0, 8(tp)\n\taddi\tsp, sp, 32\n\tjalr\tzero, 0(ra)\n";
    char text[512], expected[512];

    snprintf(text, sizeof(text), F("%s"), body);
    snprintf(expected, sizeof(expected), F_OUT("%s"), body);
    expect(text, &trap, expected);
}

static void wild_stack_pointer_is_guarded_where_control_leaves(void **state)
{
    (void)state;
    expect(F("\taddi\tsp, s0, -16\n\tjalr\tzero, 0(ra)\n"), &trap,
           F_OUT("\taddi\tsp, s0, -16\n" GUARD("sp") "\tjalr\tzero, 0(ra)\n"));
    expect(F("\taddi\tsp, sp, -16\n\tjalr\tzero, 0(ra)\n"), &mask,
           F_OUT("\taddi\tsp, sp, -16\n" MASK("sp") "\tjalr\tzero, 0(ra)\n"));
}

static void calls_pass_over_the_pad_and_return_to_one(void **state)
{
    (void)state;
    expect(F("\tcall\tg\n\tunimp\n"), &trap, F_OUT("\tjal\tra, g+4\n" PAD "\tunimp\n"));
    expect(F("\ttail\tg\n"), &trap, F_OUT("\tjal\tzero, g+4\n"));
}

static void gate_is_called_at_its_start(void **state)
{
    (void)state;
    expect(F("\ttail\t__ftl_gate\n"), &trap, F_OUT("\tjal\tzero, __ftl_gate\n"));
    expect(F("\tcall\t__ftl_gate\n\tunimp\n"), &trap,
           F_OUT("\tjal\tra, __ftl_gate\n" PAD "\tunimp\n"));
}

static void local_calls_go_to_the_label(void **state)
{
    (void)state;
    expect(F("\tjal\tra, .Lx\n\tunimp\n.Lx:\n\tunimp\n"), &trap,
           F_OUT("\tjal\tra, .Lx\n" PAD "\tunimp\n.Lx:\n\tunimp\n"));
}

static void indirect_call_checks_its_target(void **state)
{
    (void)state;
    expect(F("\tjalr\tra, 0(a5)\n\tunimp\n"), &trap,
           F_OUT("\tadd.uw\ts9, a5, gp\n\tlw\ts10, 0(s9)\n" CHECK_PAD "\tjalr\tra, 4(s9)\n" PAD
                 "\tunimp\n"));
    expect(F("\tjalr\tzero, 8(a5)\n"), &trap,
           F_OUT("\taddi\ts9, a5, 8\n\tadd.uw\ts9, s9, gp\n\tlw\ts10, 0(s9)\n" CHECK_PAD
                 "\tjalr\tzero, 4(s9)\n"));
}

static void reloaded_return_address_is_checked(void **state)
{
    (void)state;
    expect(F("\tld\tra, 8(sp)\n\tjalr\tzero, 0(ra)\n"), &trap,
           F_OUT("\tld\tra, 8(sp)\n" CHECK_RA "\tjalr\tzero, 0(ra)\n"));
    expect(F("\tld\tra, 8(sp)\n\ttail\tg\n"), &mask,
           F_OUT("\tld\tra, 8(sp)\n" CHECK_RA "\tjal\tzero, g+4\n"));
}

static void stored_label_becomes_a_pad(void **state)
{
    (void)state;
    expect(F("\tunimp\n.Lx:\n\tunimp\n\t.section\t.rodata\n\t.quad\t.Lx\n"), &trap,
           F_OUT("\tunimp\n.Lx:\n" PAD "\tunimp\n\t.section\t.rodata\n\t.quad\t.Lx\n"));
    /* but not for debug information */
    expect(F("\tunimp\n.Lx:\n\tunimp\n\t.section\t.debug_info,\"\",@progbits\n\t.quad\t.Lx\n"),
           &trap,
           F_OUT("\tunimp\n.Lx:\n\tunimp\n\t.section\t.debug_info,\"\",@progbits\n\t.quad\t.Lx\n"));
}

/* A function with one switch, or goto, through a table of three. */
#define TABLE_HEAD                                                                                 \
    ".Lpcrel_hi0:\n\tauipc\ts4, %pcrel_hi(.LT)\n\taddi\ts4, s4, %pcrel_lo(.Lpcrel_hi0)\n"
#define TABLE_TAIL ".LA:\n\tlw\ta0, 4(sp)\n.LB:\n\tjalr\tzero, 0(ra)\n\t.section\t.rodata\n.LT:\n"
#define WORDS      "\t.word\t.LA-.LT\n\t.word\t.LB-.LT\n\t.word\t.LA-.LT\n"
#define QUADS      "\t.quad\t.LA\n\t.quad\t.LB\n\t.quad\t.LA\n"
#define ROW                                                                                        \
    "\tauipc\ts9, 0\n\tsh2add\ts9, s10, s9\n\tjalr\tzero, 12(s9)\n"                                \
    "\tjal\tzero, .LA\n\tjal\tzero, .LB\n\tjal\tzero, .LA\n\tjal\tzero, .+4\n\tunimp\n"
#define TABLE_TAIL_OUT                                                                             \
    ".LA:\n" CLAIM(".LA", "0x2") "\tlw\ta0, 4(sp)\n.LB:\n" CLAIM(                                  \
        ".LB", "0x2") "\tjalr\tzero, 0(ra)\n\t.section\t.rodata\n.LT:\n"

static void switch_table_becomes_a_row_of_jumps(void **state)
{
    (void)state;
    expect(F(TABLE_HEAD "\tsh2add\ta1, a0, s4\n\tlw\ta1, 0(a1)\n\tadd\ta1, a1, s4\n"
                        "\taddi\ta0, zero, 1\n\tjalr\tzero, 0(a1)\n" TABLE_TAIL WORDS),
           &trap,
           F_OUT(TABLE_HEAD "\tandi\ts10, a0, 3\n\taddi\ta0, zero, 1\n" ROW TABLE_TAIL_OUT WORDS));
    /* an index known to be small needs no mask */
    expect(F(TABLE_HEAD "\tandi\ta0, a0, 1\n\tsh2add\ta1, a0, s4\n\tlw\ta1, 0(a1)\n"
                        "\tadd\ta1, s4, a1\n\tjalr\tzero, 0(a1)\n" TABLE_TAIL WORDS),
           &trap,
           F_OUT(TABLE_HEAD "\tandi\ta0, a0, 1\n\taddi\ts10, a0, 0\n" ROW TABLE_TAIL_OUT WORDS));
}

static void computed_goto_becomes_a_row_of_jumps(void **state)
{
    (void)state;
    expect(F(TABLE_HEAD
             "\tsh3add\ta5, a0, s4\n\tld\ta5, 0(a5)\n\tjalr\tzero, 0(a5)\n" TABLE_TAIL QUADS),
           &trap, F_OUT(TABLE_HEAD "\tandi\ts10, a0, 3\n" ROW TABLE_TAIL_OUT QUADS));
    /* where the address is needed, it is still loaded */
    expect(F(TABLE_HEAD
             "\tsh3add\ta1, a0, s4\n\tld\ta1, 0(a1)\n\tjalr\tzero, 0(a1)\n" TABLE_TAIL QUADS),
           &mask,
           F_OUT(TABLE_HEAD "\tandi\ts10, a0, 3\n\tsh3add\ta1, a0, s4\n" MASK(
               "a1") "\tld\ta1, 0(a1)\n" ROW TABLE_TAIL_OUT QUADS));
}

/* Then its targets are landing pads, as those of any indirect jump. */
static void table_that_is_not_understood_stays(void **state)
{
    static const char *const bodies[] = {
        /* no index, but an entry of its own choice */
        F(TABLE_HEAD
          "\tld\ta1, %pcrel_lo(.Lpcrel_hi0)(s4)\n\tjalr\tzero, 0(a1)\n" TABLE_TAIL QUADS),
        /* the table can change */
        F(TABLE_HEAD "\tsh3add\ta5, a0, s4\n\tld\ta5, 0(a5)\n\tjalr\tzero, 0(a5)\n"
                     ".LA:\n\tunimp\n\t.data\n.LT:\n\t.quad\t.LA\n"),
    };

    (void)state;
    /* who knows where a1 comes from? A compiler can do without tables */
    assert_null(rewrite(F(TABLE_HEAD "\tjalr\tzero, 0(a1)\n" TABLE_TAIL WORDS), &trap));
    assert_true(error.tables);
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        char *output = rewrite(bodies[i], &trap);
        assert_non_null(output);
        assert_non_null(strstr(output, ".LA:\n" PAD));
        assert_null(strstr(output, "jal\tzero, .LA"));
        free(output);
    }
}

static void code_that_runs_on_is_closed(void **state)
{
    (void)state;
    expect(F("\tcall\tabort\n"), &trap,
           F_OUT("\tjal\tra, abort+4\n" PAD "\t.section\t.text\n\tunimp\n"));
}

static void what_is_not_understood_is_refused(void **state)
{
    (void)state;
    expect_refusal(F("\tcsrr\ta0, fcsr\n"), 3, "csrr");
    expect_refusal(F("\tecall\n"), 3, "ecall");
    expect_refusal(F("\tfence.i\n"), 3, "fence.i");
    expect_refusal(F("\tebreak\n"), 3, "ebreak");
    expect_refusal(F("\tvle8.v\tv0, (a0)\n"), 3, "vle8.v");
    expect_refusal(F("\tmv\ta0, a1\n"), 3, "mv"); /* not canonical */
    expect_refusal(F("\tlw\ta0, a1\n"), 3, "lw");
    expect_refusal(F("\tlui\tzero, 0x4654c\n"), 3, "landing pads");
    expect_refusal(F("\tbeq\ta0, a1, .+8\n"), 3, "plain symbol");
    expect_refusal(F("\tjal\tzero, 8\n"), 3, "plain symbol");
    expect_refusal(F("\t.word\t0x73\n"), 3, "data in executable code");
    expect_refusal(F("\t.insn\t0x73\n"), 3, "data in executable code");
    expect_refusal("\t.option\trvc\n", 1, "instruction sets");
    expect_refusal("\t.macro\tx\n", 1, "macros");
    expect_refusal("\t.data\n\taddi\ta0, a0, 1\n", 2, "executable section");
}

static void reserved_registers_are_refused(void **state)
{
    (void)state;
    expect_refusal(F("\taddi\ts8, a0, 0\n"), 3, "s8");
    expect_refusal(F("\tsd\ts8, 0(sp)\n"), 3, "s8");
    expect_refusal(F("\taddi\ts9, a0, 0\n"), 3, "s9");
    expect_refusal(F("\taddi\ta0, s10, 0\n"), 3, "s10");
    expect_refusal(F("\tsd\ts11, 0(sp)\n"), 3, "s11");
    expect_refusal(F("\tld\ta0, 0(s9)\n"), 3, "s9");
    expect_refusal(F("\taddi\ttp, a0, 0\n"), 3, "tp");
    expect_refusal(F("\taddi\tgp, a0, 0\n"), 3, "gp");
    expect_refusal(F("\tjalr\tt0, 0(a0)\n"), 3, "t0");
    expect_refusal(F("\tjal\tt0, f\n"), 3, "ra");
}

static void return_address_is_checked_before_falling_into_a_function(void **state)
{
    (void)state;
    expect(F("\taddi\tra, a0, 0\n.globl g\ng:\n\tunimp\n"), &mask,
           F_OUT("\taddi\tra, a0, 0\n.globl g\n" CHECK_RA "g:\n" PAD "\tunimp\n"));
}

static void loop_head_behind_a_pad_keeps_the_return_address(void **state)
{
    (void)state;
    expect(F(".L1:\n\taddi\ta0, a0, -1\n\tbne\ta0, zero, .L1\n\tjalr\tzero, 0(ra)\n"), &trap,
           F_OUT(".L1:\n\taddi\ta0, a0, -1\n\tbne\ta0, zero, .L1\n\tjalr\tzero, 0(ra)\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_start_with_a_pad),
        cmocka_unit_test(access_through_unknown_register_is_guarded_once),
        cmocka_unit_test(atomics_are_guarded),
        cmocka_unit_test(access_at_absolute_address_uses_scratch),
        cmocka_unit_test(pointer_steps_need_no_new_guard),
        cmocka_unit_test(written_register_is_guarded_again),
        cmocka_unit_test(facts_are_claimed_around_a_loop),
        cmocka_unit_test(facts_that_one_way_lacks_are_not_claimed),
        cmocka_unit_test(guard_moves_out_of_a_loop),
        cmocka_unit_test(copied_pointer_is_guarded_before_the_copy),
        cmocka_unit_test(guard_stays_where_the_access_may_not_happen),
        cmocka_unit_test(guard_does_not_move_over_a_call),
        cmocka_unit_test(local_function_needs_no_pad_and_keeps_facts),
        cmocka_unit_test(stack_and_globals_need_no_guard),
        cmocka_unit_test(wild_stack_pointer_is_guarded_where_control_leaves),
        cmocka_unit_test(calls_pass_over_the_pad_and_return_to_one),
        cmocka_unit_test(gate_is_called_at_its_start),
        cmocka_unit_test(local_calls_go_to_the_label),
        cmocka_unit_test(indirect_call_checks_its_target),
        cmocka_unit_test(reloaded_return_address_is_checked),
        cmocka_unit_test(stored_label_becomes_a_pad),
        cmocka_unit_test(switch_table_becomes_a_row_of_jumps),
        cmocka_unit_test(computed_goto_becomes_a_row_of_jumps),
        cmocka_unit_test(table_that_is_not_understood_stays),
        cmocka_unit_test(code_that_runs_on_is_closed),
        cmocka_unit_test(what_is_not_understood_is_refused),
        cmocka_unit_test(reserved_registers_are_refused),
        cmocka_unit_test(return_address_is_checked_before_falling_into_a_function),
        cmocka_unit_test(loop_head_behind_a_pad_keeps_the_return_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
