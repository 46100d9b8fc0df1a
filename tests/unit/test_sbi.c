/*
 * arch/riscv/sbi.c over a model of the firmware, which does what it is asked for and notes it: one
 * that has everything, one with the set of OpenSBI 0.9 and less, SBI 0.1, and some that lie. What
 * is asked of the kernel's side has the same effect whatever the firmware has.
 */
#include "host/test.h"

#include "arch/errata.h"
#include "arch/internal.h"
#include "arch/platform.h"

#include "kernel/hart.h"
#include "kernel/log.h"

#include <stdarg.h>
#include <stdio.h>

#define SPEC_1_0  (1L << 24)
#define SPEC_0_2  2L
#define HART_IDS  200
#define START     0x80201000UL
#define OPAQUE    0x80300000UL
#define ALL_ASIDS UINT64_MAX
#define HART_OKAY 7 /* the one that the model starts */

struct errata errata;
struct hart harts[MAX_HARTS];
unsigned hart_count;

/* The firmware, and what has been done to its machine. */
static struct {
    long version; /* 0: SBI 0.1 */
    bool dbcn, time, ipi, rfence, hsm, srst, legacy;
    size_t console_takes; /* bytes that one debug console write takes at most */
    bool can_shut_down;   /* SRST's */

    char console[256];
    size_t console_used;
    uint64_t timer;
    unsigned ipis[HART_IDS], fences[HART_IDS], code_fences[HART_IDS];
    uint64_t fence_start, fence_size, fence_asid;
    unsigned started, resets, reboots;
    unsigned legacy_calls;
} firmware;

static char log_text[1024];

void log_line(const char *format, ...)
{
    size_t used = strlen(log_text);
    va_list args;
    va_start(args, format);
    vsnprintf(log_text + used, sizeof(log_text) - used, format, args);
    va_end(args);
    strncat(log_text, "\n", sizeof(log_text) - strlen(log_text) - 1);
}

/* Pieces of 16 bytes: as if pages were that small. */
paddr_t kernel_to_phys(const void *address, size_t *size)
{
    size_t room = 16 - (uintptr_t)address % 16;
    *size = *size < room ? *size : room;
    return (paddr_t)(uintptr_t)address;
}

/* --- The model --- */

static void put(const char *text, size_t size)
{
    assert_true(firmware.console_used + size < sizeof(firmware.console));
    memcpy(firmware.console + firmware.console_used, text, size);
    firmware.console_used += size;
}

static void count(unsigned *counts, uint64_t mask, uint64_t base)
{
    assert_int_not_equal(mask, 0);
    for (; mask != 0; mask &= mask - 1) {
        uint64_t id = base + (uint64_t)__builtin_ctzl(mask);
        assert_true(id < HART_IDS);
        counts[id]++;
    }
}

static void fence(uint64_t mask, uint64_t base, uint64_t start, uint64_t size)
{
    count(firmware.fences, mask, base);
    firmware.fence_start = start;
    firmware.fence_size = size;
}

static bool has_extension(unsigned long extension)
{
    switch (extension) {
    case SBI_BASE: return firmware.version != 0;
    case SBI_DBCN: return firmware.dbcn;
    case SBI_TIME: return firmware.time;
    case SBI_IPI: return firmware.ipi;
    case SBI_RFENCE: return firmware.rfence;
    case SBI_HSM: return firmware.hsm;
    case SBI_SRST: return firmware.srst;
    default: return extension <= SBI_LEGACY_SHUTDOWN && firmware.legacy;
    }
}

static struct sbi_result base_call(unsigned long function, unsigned long argument)
{
    struct sbi_result result = { .error = 0 };
    switch (function) {
    case SBI_BASE_SPEC_VERSION: result.value = firmware.version; break;
    case SBI_BASE_IMPL_ID: result.value = 1; break;
    case SBI_BASE_PROBE: result.value = has_extension(argument); break;
    case SBI_BASE_MVENDORID: result.value = 0x489; break;
    case SBI_BASE_MARCHID: result.value = (long)0x8000000000000007UL; break;
    case SBI_BASE_MIMPID: result.value = 0x4210427; break;
    default: fail_msg("base function %lu", function);
    }
    return result;
}

static void legacy_call(unsigned long extension, const unsigned long *arg)
{
    char character = (char)arg[0];
    firmware.legacy_calls++;
    switch (extension) {
    case SBI_LEGACY_SET_TIMER: firmware.timer = arg[0]; break;
    case SBI_LEGACY_PUTCHAR: put(&character, 1); break;
    case SBI_LEGACY_SEND_IPI: count(firmware.ipis, *(unsigned long *)arg[0], 0); break;
    case SBI_LEGACY_REMOTE_FENCE_I: count(firmware.code_fences, *(unsigned long *)arg[0], 0); break;
    case SBI_LEGACY_REMOTE_SFENCE:
    case SBI_LEGACY_REMOTE_ASID:
        fence(*(unsigned long *)arg[0], 0, arg[1], arg[2]);
        firmware.fence_asid = extension == SBI_LEGACY_REMOTE_SFENCE ? ALL_ASIDS : arg[3];
        break;
    case SBI_LEGACY_SHUTDOWN: firmware.resets++; break;
    default: fail_msg("legacy call %lu", extension);
    }
}

static struct sbi_result extension_call(unsigned long extension, unsigned long function,
                                        const unsigned long *arg)
{
    struct sbi_result result = { .error = 0 };
    switch (extension) {
    case SBI_DBCN:
        result.value = (long)(arg[0] < firmware.console_takes ? arg[0] : firmware.console_takes);
        put((const char *)arg[1], (size_t)result.value);
        break;
    case SBI_TIME: firmware.timer = arg[0]; break;
    case SBI_IPI: count(firmware.ipis, arg[0], arg[1]); break;
    case SBI_RFENCE:
        if (function == SBI_RFENCE_FENCE_I) {
            count(firmware.code_fences, arg[0], arg[1]);
        } else {
            assert_true(function == SBI_RFENCE_SFENCE || function == SBI_RFENCE_SFENCE_ASID);
            fence(arg[0], arg[1], arg[2], arg[3]);
            firmware.fence_asid = function == SBI_RFENCE_SFENCE ? ALL_ASIDS : arg[4];
        }
        break;
    case SBI_HSM:
        assert_int_equal(arg[1], START);
        assert_int_equal(arg[2], OPAQUE);
        firmware.started += arg[0] == HART_OKAY;
        result.error = arg[0] == HART_OKAY ? 0 : -3; /* invalid parameter */
        break;
    case SBI_SRST:
        firmware.reboots += arg[0] == SBI_SRST_TYPE_COLD_REBOOT;
        firmware.resets += arg[0] == SBI_SRST_TYPE_SHUTDOWN && firmware.can_shut_down;
        result.error = SBI_ERR_NOT_SUPPORTED;
        break;
    default: fail_msg("extension %#lx", extension);
    }
    return result;
}

struct sbi_result sbi_call_5(unsigned long extension, unsigned long function, unsigned long arg0,
                             unsigned long arg1, unsigned long arg2, unsigned long arg3,
                             unsigned long arg4)
{
    const unsigned long arg[] = { arg0, arg1, arg2, arg3, arg4 };
    if (!has_extension(extension)) {
        return (struct sbi_result){ .error = SBI_ERR_NOT_SUPPORTED };
    }
    if (extension == SBI_BASE) {
        return base_call(function, arg0);
    }
    if (extension <= SBI_LEGACY_SHUTDOWN) {
        legacy_call(extension, arg);
        return (struct sbi_result){ .error = 0, .value = (long)0xbad };
    }
    return extension_call(extension, function, arg);
}

/* --- Tests --- */

/* Firmware that has all extensions, and no calls of SBI 0.1. */
static int set_up(void **state)
{
    (void)state;
    memset(&firmware, 0, sizeof(firmware));
    firmware.version = SPEC_1_0;
    firmware.dbcn = firmware.time = firmware.ipi = firmware.rfence = firmware.hsm = true;
    firmware.srst = true;
    firmware.console_takes = SIZE_MAX;
    memset(harts, 0, sizeof(harts));
    for (unsigned i = 0; i < 4; i++) {
        harts[i].arch.id = i + 1;
    }
    log_text[0] = '\0';
    return 0;
}

static void use_old_firmware(void)
{
    firmware.version = SPEC_0_2;
    firmware.legacy = true;
    firmware.dbcn = firmware.srst = false;
}

static void use_legacy_firmware(void)
{
    use_old_firmware();
    firmware.version = 0;
    firmware.time = firmware.ipi = firmware.rfence = firmware.hsm = false;
}

/* All that does not depend on what the firmware has, as long as it has one way. */
static void check_effects(void)
{
    static const char text[] = "a line of the log, longer than one piece\n";
    sbi_console_write(text, sizeof(text) - 1);
    assert_string_equal(firmware.console, text);
    sbi_set_timer(0x123456789abcdef0UL);
    assert_int_equal(firmware.timer, 0x123456789abcdef0UL);
    sbi_send_ipi(0x5); /* harts with ids 1 and 3 */
    sbi_remote_sfence(0x8, 0xffffffd000001000UL, 0x3000);
    sbi_remote_fence_i(0xe);
    for (unsigned id = 0; id < HART_IDS; id++) {
        assert_int_equal(firmware.ipis[id], id == 1 || id == 3);
        assert_int_equal(firmware.fences[id], id == 4);
        assert_int_equal(firmware.code_fences[id], id >= 2 && id <= 4);
    }
    assert_int_equal(firmware.fence_start, 0xffffffd000001000UL);
    assert_int_equal(firmware.fence_size, 0x3000);
    assert_true(firmware.fence_asid == ALL_ASIDS);
    sbi_remote_sfence_asid(0x8, 0x5000, 0x1000, 77);
    assert_int_equal(firmware.fences[4], 2);
    assert_int_equal(firmware.fence_start, 0x5000);
    assert_int_equal(firmware.fence_size, 0x1000);
    assert_int_equal(firmware.fence_asid, 77);
}

static void all_extensions_are_found_and_used(void **state)
{
    (void)state;
    sbi_init();
    assert_string_equal(log_text, "sbi: version 1.0, implementation 1; extensions: DBCN TIME IPI "
                                  "RFENCE HSM SRST\n");
    check_effects();
    assert_int_equal(sbi_hart_start(HART_OKAY, START, OPAQUE).error, 0);
    assert_int_equal(firmware.started, 1);
    assert_int_equal(sbi_hart_start(0, START, OPAQUE).error, -3);
    sbi_system_reset(true);
    assert_int_equal(firmware.reboots, 1);
    firmware.can_shut_down = true;
    sbi_system_reset(false);
    assert_int_equal(firmware.resets, 1);
    assert_int_equal(firmware.legacy_calls, 0);
}

static void old_firmware_without_console_and_reset_is_served_by_legacy_calls(void **state)
{
    (void)state;
    use_old_firmware();
    sbi_init();
    assert_string_equal(log_text,
                        "sbi: version 0.2, implementation 1; extensions: TIME IPI RFENCE HSM\n");
    check_effects();
    assert_int_equal(firmware.legacy_calls, strlen(firmware.console));
    assert_int_equal(sbi_hart_start(HART_OKAY, START, OPAQUE).error, 0);
    sbi_system_reset(true); /* there is no such call */
    assert_int_equal(firmware.resets, 0);
    sbi_system_reset(false);
    assert_int_equal(firmware.resets, 1);
}

static void sbi_0_1_is_served_by_legacy_calls_alone(void **state)
{
    (void)state;
    use_legacy_firmware();
    sbi_init();
    assert_string_equal(log_text, "sbi: legacy 0.1\n");
    check_effects();
    assert_int_equal(sbi_hart_start(HART_OKAY, START, OPAQUE).error, SBI_ERR_NOT_SUPPORTED);
    assert_int_equal(sbi_machine().vendor, 0);
    sbi_system_reset(false);
    assert_int_equal(firmware.resets, 1);
}

static void hidden_extensions_are_not_used(void **state)
{
    (void)state;
    firmware.legacy = true;
    sbi_init();
    sbi_hide("TIME,DBCN,IPI");
    check_effects();
    assert_int_equal(firmware.legacy_calls, strlen(firmware.console) + 2);
    sbi_hide("RFENCE,HSM");
    assert_int_equal(sbi_hart_start(HART_OKAY, START, OPAQUE).error, SBI_ERR_NOT_SUPPORTED);
    sbi_remote_fence_i(1);
    assert_int_equal(firmware.legacy_calls, strlen(firmware.console) + 3);
    assert_null(strstr(log_text, "there is no extension"));
    assert_int_equal(sbi_machine().vendor, 0x489);
}

static void hiding_base_hides_all(void **state)
{
    (void)state;
    firmware.legacy = true;
    sbi_init();
    sbi_hide("BASE");
    check_effects();
    sbi_system_reset(false);
    assert_int_equal(firmware.legacy_calls, strlen(firmware.console) + 6);
    assert_int_equal(sbi_machine().vendor, 0);
}

static void names_to_hide_that_mean_nothing_are_reported(void **state)
{
    (void)state;
    sbi_init();
    sbi_hide("TIM,,TIMER,RFENCE");
    assert_non_null(strstr(log_text, "no extension 'TIM' to hide"));
    assert_non_null(strstr(log_text, "no extension '' to hide"));
    assert_non_null(strstr(log_text, "no extension 'TIMER' to hide"));
    assert_null(strstr(log_text, "'RFENCE'"));
    sbi_set_timer(5);
    assert_int_equal(firmware.timer, 5);
}

static void debug_console_that_takes_little_gets_the_rest_again(void **state)
{
    (void)state;
    firmware.console_takes = 3;
    sbi_init();
    check_effects();
}

static void debug_console_that_takes_nothing_is_given_up(void **state)
{
    (void)state;
    firmware.console_takes = 0;
    firmware.legacy = true;
    sbi_init();
    sbi_console_write("text", 4);
    assert_string_equal(firmware.console, "text");
    assert_int_equal(firmware.legacy_calls, 4);
}

static void failed_shutdown_is_not_tried_again_by_a_legacy_call(void **state)
{
    (void)state;
    firmware.legacy = true;
    sbi_init();
    sbi_system_reset(false);
    assert_int_equal(firmware.resets, 0);
}

static void hart_ids_far_apart_are_called_in_groups(void **state)
{
    (void)state;
    harts[1].arch.id = 63;
    harts[2].arch.id = 64;
    harts[3].arch.id = 190;
    sbi_init();
    sbi_send_ipi(0xf);
    for (unsigned id = 0; id < HART_IDS; id++) {
        assert_int_equal(firmware.ipis[id], id == 1 || id == 63 || id == 64 || id == 190);
    }
}

static void fences_are_of_all_addresses_where_a_core_needs_that(void **state)
{
    (void)state;
    errata.sfence_by_address_fails = true;
    sbi_init();
    sbi_remote_sfence(0x8, 0x5000, 0x1000);
    assert_int_equal(firmware.fence_start, 0);
    assert_int_equal(firmware.fence_size, SIZE_MAX);
    memset(&errata, 0, sizeof(errata));
    sbi_remote_sfence(0x8, 0x5000, 0x1000);
    assert_int_equal(firmware.fence_start, 0x5000);
    assert_int_equal(firmware.fence_size, 0x1000);
}

static void core_is_identified(void **state)
{
    (void)state;
    sbi_init();
    struct sbi_machine machine = sbi_machine();
    assert_int_equal(machine.vendor, 0x489);
    assert_int_equal(machine.architecture, 0x8000000000000007UL);
    assert_int_equal(machine.implementation, 0x4210427);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_extensions_are_found_and_used, set_up),
        cmocka_unit_test_setup(old_firmware_without_console_and_reset_is_served_by_legacy_calls,
                               set_up),
        cmocka_unit_test_setup(sbi_0_1_is_served_by_legacy_calls_alone, set_up),
        cmocka_unit_test_setup(hidden_extensions_are_not_used, set_up),
        cmocka_unit_test_setup(hiding_base_hides_all, set_up),
        cmocka_unit_test_setup(names_to_hide_that_mean_nothing_are_reported, set_up),
        cmocka_unit_test_setup(debug_console_that_takes_little_gets_the_rest_again, set_up),
        cmocka_unit_test_setup(debug_console_that_takes_nothing_is_given_up, set_up),
        cmocka_unit_test_setup(failed_shutdown_is_not_tried_again_by_a_legacy_call, set_up),
        cmocka_unit_test_setup(hart_ids_far_apart_are_called_in_groups, set_up),
        cmocka_unit_test_setup(fences_are_of_all_addresses_where_a_core_needs_that, set_up),
        cmocka_unit_test_setup(core_is_identified, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
