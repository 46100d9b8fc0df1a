/*
 * The Supervisor Binary Interface (RISC-V SBI specification 1.0; extension ids by section). Every
 * extension is probed; without it, the legacy call of SBI 0.1 serves where one exists.
 */
#include "arch/hart.h"
#include "arch/internal.h"
#include "arch/platform.h"

#include "kernel/hart.h"
#include "kernel/log.h"

#define SBI_BASE   0x10
#define SBI_DBCN   0x4442434e
#define SBI_TIME   0x54494d45
#define SBI_IPI    0x735049
#define SBI_RFENCE 0x52464e43
#define SBI_HSM    0x48534d
#define SBI_SRST   0x53525354

#define SBI_BASE_SPEC_VERSION 0
#define SBI_BASE_IMPL_ID      1
#define SBI_BASE_IMPL_VERSION 2
#define SBI_BASE_PROBE        3

#define SBI_LEGACY_SET_TIMER      0
#define SBI_LEGACY_PUTCHAR        1
#define SBI_LEGACY_SEND_IPI       4
#define SBI_LEGACY_REMOTE_FENCE_I 5
#define SBI_LEGACY_REMOTE_SFENCE  6
#define SBI_LEGACY_SHUTDOWN       8

#define SBI_ERR_NOT_SUPPORTED (-2)

struct sbi_features sbi;

static struct sbi_result sbi_call(unsigned long extension, unsigned long function,
                                  unsigned long arg0, unsigned long arg1, unsigned long arg2,
                                  unsigned long arg3)
{
    register unsigned long a0 __asm__("a0") = arg0;
    register unsigned long a1 __asm__("a1") = arg1;
    register unsigned long a2 __asm__("a2") = arg2;
    register unsigned long a3 __asm__("a3") = arg3;
    register unsigned long a6 __asm__("a6") = function;
    register unsigned long a7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a6), "r"(a7) : "memory");
    return (struct sbi_result){ .error = (long)a0, .value = (long)a1 };
}

static bool sbi_probe(unsigned long extension)
{
    struct sbi_result result = sbi_call(SBI_BASE, SBI_BASE_PROBE, extension, 0, 0, 0);
    return result.error == 0 && result.value != 0;
}

void sbi_init(void)
{
    /* SBI 0.1 has no base extension: everything is legacy then. */
    struct sbi_result version = sbi_call(SBI_BASE, SBI_BASE_SPEC_VERSION, 0, 0, 0, 0);
    if (version.error != 0) {
        log_line("sbi: legacy 0.1");
        return;
    }
    sbi = (struct sbi_features){
        .console = sbi_probe(SBI_DBCN),
        .time = sbi_probe(SBI_TIME),
        .ipi = sbi_probe(SBI_IPI),
        .rfence = sbi_probe(SBI_RFENCE),
        .hsm = sbi_probe(SBI_HSM),
        .reset = sbi_probe(SBI_SRST),
    };
    log_line("sbi: version %ld.%ld, implementation %ld; extensions:%s%s%s%s%s%s",
             version.value >> 24, version.value & 0xffffff,
             sbi_call(SBI_BASE, SBI_BASE_IMPL_ID, 0, 0, 0, 0).value, sbi.console ? " DBCN" : "",
             sbi.time ? " TIME" : "", sbi.ipi ? " IPI" : "", sbi.rfence ? " RFENCE" : "",
             sbi.hsm ? " HSM" : "", sbi.reset ? " SRST" : "");
}

void sbi_console_write(const char *text, size_t size)
{
    if (!sbi.console) {
        for (size_t i = 0; i < size; i++) {
            sbi_call(SBI_LEGACY_PUTCHAR, 0, (unsigned char)text[i], 0, 0, 0);
        }
        return;
    }
    while (size > 0) {
        /* "sbi_debug_console_write" wants a physical address; text lies in the image or the direct
         * map. */
        uintptr_t address = (uintptr_t)text;
        paddr_t base = address >= KERNEL_BASE ? image_to_phys(text) : virt_to_phys(text);
        struct sbi_result result = sbi_call(SBI_DBCN, 0, size, base, 0, 0);
        if (result.error != 0) {
            return;
        }
        text += result.value;
        size -= (size_t)result.value;
    }
}

void sbi_set_timer(uint64_t ticks)
{
    sbi_call(sbi.time ? SBI_TIME : SBI_LEGACY_SET_TIMER, 0, ticks, 0, 0, 0);
}

/*
 * Calls an extension that takes "hart_mask, hart_mask_base" for all harts in the mask. Hart ids may
 * be far apart, so each word of 64 ids is a call of its own. Legacy calls take the address of one
 * mask of the low 64 ids.
 */
static void sbi_for_harts(uint64_t indices, bool modern, unsigned long extension,
                          unsigned long function, unsigned long arg2, unsigned long arg3)
{
    while (indices != 0) {
        hart_id_t base = ALIGN_DOWN(harts[__builtin_ctzl(indices)].arch.id, 64U);
        uint64_t mask = 0;
        for (uint64_t left = indices; left != 0; left &= left - 1) {
            unsigned index = (unsigned)__builtin_ctzl(left);
            hart_id_t id = harts[index].arch.id;
            if (id >= base && id - base < 64) {
                mask |= 1UL << (id - base);
                indices &= ~(1UL << index);
            }
        }
        if (modern) {
            sbi_call(extension, function, mask, base, arg2, arg3);
        } else if (base == 0) {
            sbi_call(extension, 0, (unsigned long)&mask, arg2, arg3, 0);
        }
    }
}

void sbi_send_ipi(uint64_t hart_mask)
{
    sbi_for_harts(hart_mask, sbi.ipi, sbi.ipi ? SBI_IPI : SBI_LEGACY_SEND_IPI, 0, 0, 0);
}

void sbi_remote_sfence(uint64_t hart_mask, vaddr_t va, size_t size)
{
    sbi_for_harts(hart_mask, sbi.rfence, sbi.rfence ? SBI_RFENCE : SBI_LEGACY_REMOTE_SFENCE, 1, va,
                  size);
}

void sbi_remote_fence_i(uint64_t hart_mask)
{
    sbi_for_harts(hart_mask, sbi.rfence, sbi.rfence ? SBI_RFENCE : SBI_LEGACY_REMOTE_FENCE_I, 0, 0,
                  0);
}

struct sbi_result sbi_hart_start(hart_id_t id, paddr_t start, uint64_t opaque)
{
    if (!sbi.hsm) {
        return (struct sbi_result){ .error = SBI_ERR_NOT_SUPPORTED };
    }
    return sbi_call(SBI_HSM, 0, id, start, opaque, 0);
}

void sbi_system_reset(bool reboot)
{
    if (sbi.reset) {
        sbi_call(SBI_SRST, 0, reboot ? 1 : 0, 0, 0, 0);
    }
    if (!reboot) {
        sbi_call(SBI_LEGACY_SHUTDOWN, 0, 0, 0, 0, 0);
    }
}
