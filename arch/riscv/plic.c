/* The Platform-Level Interrupt Controller (RISC-V PLIC specification 1.0.0, "Memory Map"). */
#include "arch/csr.h"
#include "arch/internal.h"
#include "arch/platform.h"

#include "kernel/hart.h"
#include "kernel/log.h"

#define PLIC_PRIORITY       0x0UL
#define PLIC_ENABLE         0x2000UL
#define PLIC_ENABLE_STRIDE  0x80UL
#define PLIC_CONTEXT        0x200000UL
#define PLIC_CONTEXT_STRIDE 0x1000UL
#define PLIC_THRESHOLD      0x0UL
#define PLIC_CLAIM          0x4UL
#define PLIC_MAX_SOURCES    1024

static struct {
    volatile uint32_t *registers; /* NULL: there is none; fixed after boot, as `sources` */
    uint32_t sources;
    struct spinlock lock; /* LOCK_INTERRUPTS; protects the handlers, held while one runs */
    struct {
        void (*handler)(void *context);
        void *context;
    } handlers[PLIC_MAX_SOURCES];
} plic = { .lock = SPINLOCK_INIT(LOCK_INTERRUPTS) };

static volatile uint32_t *plic_register(size_t offset)
{
    return plic.registers + offset / sizeof(uint32_t);
}

static volatile uint32_t *plic_context_register(size_t offset)
{
    size_t context = (size_t)arch_hart_self()->plic_context;
    return plic_register(PLIC_CONTEXT + context * PLIC_CONTEXT_STRIDE + offset);
}

void plic_init(const struct boot_info *info)
{
    if (info->plic.device.size == 0) {
        log_line("plic: none in the device tree: no device interrupts");
        return;
    }
    plic.registers = map_device(info->plic.device.base, info->plic.device.size);
    plic.sources =
        info->plic.sources < PLIC_MAX_SOURCES ? info->plic.sources : PLIC_MAX_SOURCES - 1;
    if (plic.registers == NULL) {
        log_line("plic: no room to map %#lx bytes of registers",
                 (unsigned long)info->plic.device.size);
    }
}

void plic_init_hart(void)
{
    if (plic.registers != NULL && arch_hart_self()->plic_context >= 0) {
        *plic_context_register(PLIC_THRESHOLD) = 0;
    }
}

/* A source of priority 0 does not interrupt any hart, whichever have it enabled. */
static void set_priority(uint32_t source, uint32_t priority)
{
    *plic_register(PLIC_PRIORITY + source * sizeof(uint32_t)) = priority;
}

void plic_mask(uint32_t source)
{
    set_priority(source, 0);
}

void plic_unmask(uint32_t source)
{
    set_priority(source, 1);
}

/* Lets this hart get interrupts of the source, for good: only it writes its enable bits. */
static void enable_here(uint32_t source)
{
    size_t enable = PLIC_ENABLE + (size_t)arch_hart_self()->plic_context * PLIC_ENABLE_STRIDE;
    *plic_register(enable + source / 32 * sizeof(uint32_t)) |= 1U << (source % 32);
}

ftl_status_t plic_enable(uint32_t source, void (*handler)(void *context), void *context)
{
    if (plic.registers == NULL || arch_hart_self()->plic_context < 0) {
        return FTL_ERR_NOT_SUPPORTED;
    }
    if (source == 0 || source > plic.sources) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    spin_lock(&plic.lock);
    bool taken = plic.handlers[source].handler != NULL;
    if (!taken) {
        plic.handlers[source].handler = handler;
        plic.handlers[source].context = context;
        enable_here(source);
        plic_unmask(source);
    }
    spin_unlock(&plic.lock);
    return taken ? FTL_ERR_EXISTS : FTL_OK;
}

void plic_disable(uint32_t source)
{
    spin_lock(&plic.lock);
    plic_mask(source);
    plic.handlers[source].handler = NULL;
    spin_unlock(&plic.lock);
}

static void call_handler(uint32_t source)
{
    spin_lock(&plic.lock);
    if (source <= plic.sources && plic.handlers[source].handler != NULL) {
        plic.handlers[source].handler(plic.handlers[source].context);
    }
    spin_unlock(&plic.lock);
}

void plic_handle(void)
{
    if (plic.registers == NULL || arch_hart_self()->plic_context < 0) {
        csr_clear(sie, 1UL << INTERRUPT_EXTERNAL);
        return;
    }
    volatile uint32_t *claim = plic_context_register(PLIC_CLAIM);
    for (uint32_t source = *claim; source != 0; source = *claim) {
        call_handler(source);
        *claim = source;
    }
}
