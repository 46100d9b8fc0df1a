/*
 * The Supervisor Binary Interface (arch/sbi.h has its numbers). Every extension is probed;
 * without it, the legacy call of SBI 0.1 serves where one exists.
 */
#include "arch/errata.h"
#include "arch/hart.h"
#include "arch/internal.h"
#include "arch/platform.h"

#include "kernel/hart.h"
#include "kernel/log.h"
#include "kernel/string.h"

/* Writes to a debug console that takes nothing before the rest is given up. */
#define CONSOLE_RETRIES 1000000U

enum extension {
    EXTENSION_DBCN,
    EXTENSION_TIME,
    EXTENSION_IPI,
    EXTENSION_RFENCE,
    EXTENSION_HSM,
    EXTENSION_SRST,
    EXTENSION_COUNT,
};

static const struct {
    const char *name;
    unsigned long id;
} extensions[EXTENSION_COUNT] = {
    [EXTENSION_DBCN] = { "DBCN", SBI_DBCN }, [EXTENSION_TIME] = { "TIME", SBI_TIME },
    [EXTENSION_IPI] = { "IPI", SBI_IPI },    [EXTENSION_RFENCE] = { "RFENCE", SBI_RFENCE },
    [EXTENSION_HSM] = { "HSM", SBI_HSM },    [EXTENSION_SRST] = { "SRST", SBI_SRST },
};

/* Set at boot. */
static struct {
    bool base; /* SBI 0.2 or later */
    bool has[EXTENSION_COUNT];
} sbi;

static struct sbi_result call_base(unsigned long function, unsigned long argument)
{
    return sbi_call(SBI_BASE, function, argument, 0, 0, 0);
}

/* Appends " NAME" to the text. */
static void append_name(char *text, size_t size, const char *name)
{
    size_t used = strlen(text);
    format_text(text + used, size - used, " %s", name);
}

void sbi_init(void)
{
    /* SBI 0.1 has no base extension: everything is legacy then. */
    struct sbi_result version = call_base(SBI_BASE_SPEC_VERSION, 0);
    memset(&sbi, 0, sizeof(sbi));
    sbi.base = version.error == 0;
    if (!sbi.base) {
        log_line("sbi: legacy 0.1");
        return;
    }
    char found[64] = "";
    for (size_t i = 0; i < EXTENSION_COUNT; i++) {
        struct sbi_result probe = call_base(SBI_BASE_PROBE, extensions[i].id);
        sbi.has[i] = probe.error == 0 && probe.value != 0;
        if (sbi.has[i]) {
            append_name(found, sizeof(found), extensions[i].name);
        }
    }
    log_line("sbi: version %ld.%ld, implementation %ld; extensions:%s", version.value >> 24,
             version.value & 0xffffff, call_base(SBI_BASE_IMPL_ID, 0).value, found);
}

/* Whether the list's first word, of `size` characters, is this one. */
static bool is_word(const char *word, size_t size, const char *name)
{
    return strlen(name) == size && strncmp(word, name, size) == 0;
}

/* False: there is no extension of that name. */
static bool hide_one(const char *name, size_t size)
{
    bool all = is_word(name, size, "BASE");
    bool known = all;
    for (size_t i = 0; i < EXTENSION_COUNT; i++) {
        if (all || is_word(name, size, extensions[i].name)) {
            sbi.has[i] = false;
            known = true;
        }
    }
    sbi.base &= !all;
    return known;
}

void sbi_hide(const char *names)
{
    log_line("sbi: hidden: %s", names);
    while (*names != '\0') {
        size_t size = 0;
        while (names[size] != '\0' && names[size] != ',') {
            size++;
        }
        if (!hide_one(names, size)) {
            log_line("sbi: there is no extension '%.*s' to hide", (int)size, names);
        }
        names += size + (names[size] == ',');
    }
}

struct sbi_machine sbi_machine(void)
{
    struct sbi_machine machine = { 0 };
    if (sbi.base) {
        machine.vendor = (uint64_t)call_base(SBI_BASE_MVENDORID, 0).value;
        machine.architecture = (uint64_t)call_base(SBI_BASE_MARCHID, 0).value;
        machine.implementation = (uint64_t)call_base(SBI_BASE_MIMPID, 0).value;
    }
    return machine;
}

/* --- Console --- */

/* Writes what the debug console takes; returns how much that was. */
static size_t write_debug_console(const char *text, size_t size)
{
    size_t done = 0;
    for (unsigned tries = 0; done < size && tries < CONSOLE_RETRIES; tries++) {
        size_t piece = size - done;
        paddr_t base = kernel_to_phys(text + done, &piece);
        struct sbi_result result = sbi_call(SBI_DBCN, SBI_DBCN_WRITE, piece, base, 0, 0);
        if (result.error != 0 || result.value < 0 || (size_t)result.value > piece) {
            break;
        }
        done += (size_t)result.value;
    }
    return done;
}

void sbi_console_write(const char *text, size_t size)
{
    size_t done = sbi.has[EXTENSION_DBCN] ? write_debug_console(text, size) : 0;
    for (; done < size; done++) {
        sbi_call(SBI_LEGACY_PUTCHAR, 0, (unsigned char)text[done], 0, 0, 0);
    }
}

/* --- Timer, interrupts and fences --- */

void sbi_set_timer(uint64_t ticks)
{
    if (sbi.has[EXTENSION_TIME]) {
        sbi_call(SBI_TIME, SBI_TIME_SET_TIMER, ticks, 0, 0, 0);
    } else {
        sbi_call(SBI_LEGACY_SET_TIMER, 0, ticks, 0, 0, 0);
    }
}

/* One call for several harts: as an extension, and as SBI 0.1 has it. */
struct hart_call {
    enum extension extension;
    unsigned long function;
    unsigned long legacy;
};

/*
 * Makes the call for all harts in the mask. Hart ids may be far apart, and the extensions take a
 * mask of 64 ids from a base on, so each such group is a call of its own. Legacy calls take the
 * address of a mask of the low 64 ids.
 */
static void call_for_harts(const struct hart_call *call, uint64_t indices, unsigned long start,
                           unsigned long size, unsigned long asid)
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
        if (sbi.has[call->extension]) {
            sbi_call_5(extensions[call->extension].id, call->function, mask, base, start, size,
                       asid);
        } else if (base == 0) {
            sbi_call(call->legacy, 0, (unsigned long)&mask, start, size, asid);
        }
    }
}

void sbi_send_ipi(uint64_t hart_mask)
{
    static const struct hart_call call = { EXTENSION_IPI, SBI_IPI_SEND, SBI_LEGACY_SEND_IPI };
    call_for_harts(&call, hart_mask, 0, 0, 0);
}

/* The firmware's fences by address fail where ours do. */
static void call_for_range(const struct hart_call *call, uint64_t hart_mask, vaddr_t va,
                           size_t size, uint64_t asid)
{
    if (errata.sfence_by_address_fails) {
        va = 0;
        size = SIZE_MAX;
    }
    call_for_harts(call, hart_mask, va, size, asid);
}

void sbi_remote_sfence(uint64_t hart_mask, vaddr_t va, size_t size)
{
    static const struct hart_call call = { EXTENSION_RFENCE, SBI_RFENCE_SFENCE,
                                           SBI_LEGACY_REMOTE_SFENCE };
    call_for_range(&call, hart_mask, va, size, 0);
}

void sbi_remote_sfence_asid(uint64_t hart_mask, vaddr_t va, size_t size, uint64_t asid)
{
    static const struct hart_call call = { EXTENSION_RFENCE, SBI_RFENCE_SFENCE_ASID,
                                           SBI_LEGACY_REMOTE_ASID };
    call_for_range(&call, hart_mask, va, size, asid);
}

void sbi_remote_fence_i(uint64_t hart_mask)
{
    static const struct hart_call call = { EXTENSION_RFENCE, SBI_RFENCE_FENCE_I,
                                           SBI_LEGACY_REMOTE_FENCE_I };
    call_for_harts(&call, hart_mask, 0, 0, 0);
}

/* --- Harts and the system --- */

struct sbi_result sbi_hart_start(hart_id_t id, paddr_t start, uint64_t opaque)
{
    if (!sbi.has[EXTENSION_HSM]) {
        return (struct sbi_result){ .error = SBI_ERR_NOT_SUPPORTED };
    }
    return sbi_call(SBI_HSM, SBI_HSM_HART_START, id, start, opaque, 0);
}

void sbi_system_reset(bool reboot)
{
    if (sbi.has[EXTENSION_SRST]) {
        /* Firmware that has the extension knows best: its legacy call could only hang. */
        sbi_call(SBI_SRST, SBI_SRST_RESET,
                 reboot ? SBI_SRST_TYPE_COLD_REBOOT : SBI_SRST_TYPE_SHUTDOWN, 0, 0, 0);
    } else if (!reboot) {
        sbi_call(SBI_LEGACY_SHUTDOWN, 0, 0, 0, 0, 0);
    }
}
