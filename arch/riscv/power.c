/* Power off and reboot: QEMU's test device can give an exit status, SBI can not. */
#include "arch/hart.h"
#include "arch/internal.h"
#include "arch/platform.h"

#include "kernel/hart.h"
#include "kernel/log.h"

/* "sifive,test0" (QEMU hw/misc/sifive_test): status in the upper half, action in the lower. */
#define TEST_FAIL  0x3333U
#define TEST_PASS  0x5555U
#define TEST_RESET 0x7777U

static volatile uint32_t *test_device;

void power_init(const struct boot_info *info)
{
    if (info->test_finisher.size >= sizeof(uint32_t)) {
        test_device = map_device(info->test_finisher.base, info->test_finisher.size);
    }
}

/* What the machine comes to when it cannot be switched off or reset: nothing runs any more. */
static _Noreturn void stand_still(void)
{
    harts_halt_others();
    hart_halt();
}

void power_off(uint8_t status)
{
    if (test_device != NULL) {
        *test_device = status == 0 ? TEST_PASS : (uint32_t)status << 16 | TEST_FAIL;
    }
    sbi_system_reset(false);
    log_line("power: the firmware cannot power off; halted with status %u", status);
    stand_still();
}

void power_reboot(void)
{
    sbi_system_reset(true);
    if (test_device != NULL) {
        *test_device = TEST_RESET;
    }
    log_line("power: the firmware cannot reboot; halted");
    stand_still();
}
