/* arch/riscv/errata.c: which cores have which defects. */
#include "host/test.h"

#include "arch/errata.h"
#include "arch/hart.h"
#include "arch/internal.h"

#include "kernel/log.h"

#define SIFIVE 0x489
#define U7     0x8000000000000007UL

static struct sbi_machine machine;
static struct arch_hart hart;
static unsigned log_lines;

struct sbi_machine sbi_machine(void)
{
    return machine;
}

struct arch_hart *arch_hart_self(void)
{
    return &hart;
}

void log_line(const char *format, ...)
{
    (void)format;
    log_lines++;
}

static void cores_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        struct sbi_machine machine;
        bool sfence, fetch;
    } cases[] = {
        { { SIFIVE, U7, 0x4210427 }, false, false }, /* JH7110 */
        { { SIFIVE, U7, 0x20181004 }, true, true },  /* FU740: 0x181004 is before 0x200630 */
        { { SIFIVE, U7, 0x20181003 }, true, false },
        { { SIFIVE, U7, 0x20191105 }, true, true },
        { { SIFIVE, U7, 0x20191106 }, true, false },
        { { SIFIVE, U7, 0x20200630 }, true, false },
        { { SIFIVE, U7, 0x20200631 }, false, false },
        { { SIFIVE, U7, 0x1200626 }, false, false },
        { { SIFIVE, 1, 0x20181004 }, true, false }, /* FU540 */
        { { SIFIVE, 2, 0x20181004 }, false, false },
        { { 0x5b7, U7, 0x20181004 }, false, false }, /* somebody else's */
        { { 0, 0, 0 }, false, false },               /* SBI 0.1 */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct errata found = errata_of(&cases[i].machine);
        assert_int_equal(found.sfence_by_address_fails, cases[i].sfence);
        assert_int_equal(found.fetch_fault_address_is_short, cases[i].fetch);
    }
}

static void one_harts_defect_counts_for_all(void **state)
{
    (void)state;
    memset(&errata, 0, sizeof(errata));
    machine = (struct sbi_machine){ SIFIVE, U7, 0x4210427 };
    errata_init_hart();
    assert_false(errata.sfence_by_address_fails);
    assert_int_equal(log_lines, 0);
    machine.implementation = 0x20200630;
    errata_init_hart();
    machine.implementation = 0x4210427;
    errata_init_hart();
    assert_true(errata.sfence_by_address_fails);
    assert_false(errata.fetch_fault_address_is_short);
    assert_int_equal(log_lines, 1);
}

static void fetch_addresses_get_their_sign_back(void **state)
{
    (void)state;
    memset(&errata, 0, sizeof(errata));
    assert_int_equal(errata_fetch_address(0x5800201000), 0x5800201000);
    errata.fetch_fault_address_is_short = true;
    assert_int_equal(errata_fetch_address(0x5800201000), 0xffffffd800201000);
    assert_int_equal(errata_fetch_address(0xffffffd800201000), 0xffffffd800201000);
    assert_int_equal(errata_fetch_address(0x3ffffff000), 0x3ffffff000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cores_are_told_apart),
        cmocka_unit_test(one_harts_defect_counts_for_all),
        cmocka_unit_test(fetch_addresses_get_their_sign_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
