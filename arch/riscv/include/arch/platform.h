/* What the machine offers beside harts: boot, MMIO, interrupts, power, early console. */
#ifndef ARCH_PLATFORM_H
#define ARCH_PLATFORM_H

#include <ftl/status.h>

#include "arch/mmu.h"
#include "kernel/boot_info.h"
#include "kernel/types.h"

/* The kernel's page tables: direct map of RAM, image with W^X, vmap area. */
extern struct page_table kernel_page_table;

/* Boot, first of all: where the image was loaded. */
void kernel_image_set(paddr_t load_address);

/* Physical range of the loaded kernel image, bss included. */
paddr_t kernel_image_start(void);
paddr_t kernel_image_end(void);

/* Physical address of the gate page that sandboxed images map at their start. */
paddr_t gate_page(void);

/*
 * Boot: builds the final kernel map from the memory in `info` and loads it. Needs a working page
 * allocator. Panics when it runs out of memory.
 */
void kernel_map_init(const struct boot_info *info);

/* Maps a device's registers for good; NULL when the vmap area or memory is full, or after
 * MAP_DEVICE_MAX devices. */
#define MAP_DEVICE_MAX 8
volatile void *map_device(paddr_t address, size_t size);

/* Whether any of the range is RAM, or registers that map_device() has mapped. */
bool kernel_uses(paddr_t address, uint64_t size);
/* Allocates a stack of HART_STACK_SIZE with a guard page below it; returns its top, 0 when out of
 * memory. */
uintptr_t map_stack(void);

/* Boot: finds the SBI extensions. Before anything else of this header. */
void sbi_init(void);
/*
 * Boot: treats extensions as missing, so that their fallbacks can be tried: names as sbi_init()
 * logs them, or BASE for all, with commas between. Logs what is hidden, and names it does not know.
 */
void sbi_hide(const char *names);
/* Writes to the SBI console (DBCN, or legacy putchar). Any time, from any hart. */
void sbi_console_write(const char *text, size_t size);

/* Boot: the interrupt controller; a missing one leaves the console without input (logged). */
void plic_init(const struct boot_info *info);
/* For each hart: lets it receive interrupts. */
void plic_init_hart(void);
/*
 * Calls handler(context), with LOCK_INTERRUPTS held, on interrupts of the source from now on. At
 * most one handler per source: EXISTS. INVALID_ARGUMENT: no such source; NOT_SUPPORTED: this hart
 * gets no interrupts.
 */
ftl_status_t plic_enable(uint32_t source, void (*handler)(void *context), void *context);
/* The handler will not be called any more, and does not run on return. */
void plic_disable(uint32_t source);
/* Keeps an enabled source from interrupting, until it is unmasked. */
void plic_mask(uint32_t source);
void plic_unmask(uint32_t source);

/* Boot, each hart: trap vector, interrupt enables, counters. */
void trap_init_hart(void);

void power_init(const struct boot_info *info);
/* Ends QEMU with this status (through the device tree's test device), or powers off through SBI. */
_Noreturn void power_off(uint8_t status);
_Noreturn void power_reboot(void);

/* Stores this hart's x1 to x31 as they are. */
void registers_capture(uint64_t x1[31]);
/* Writes registers to the log. */
void registers_log(const uint64_t *x1, uint64_t pc);

/* The stack that boot.S gave the boot hart: its top. */
uintptr_t boot_stack_top(void);

/* Fills in return addresses, innermost first; returns how many. From the caller's frame, or from
 * `frame`/`pc` if not 0. */
size_t backtrace(uintptr_t *addresses, size_t max, uintptr_t frame, uintptr_t pc);

#endif
