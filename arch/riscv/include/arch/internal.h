/* What the files of arch/riscv share with each other alone. */
#ifndef ARCH_INTERNAL_H
#define ARCH_INTERNAL_H

#include "arch/context.h"
#include "arch/fence.h"
#include "arch/sbi_call.h"

/* SBI: through extensions that sbi_init() found, else through calls of SBI 0.1. */
void sbi_set_timer(uint64_t ticks);
void sbi_send_ipi(uint64_t hart_mask); /* bits are hart indices */
struct sbi_result sbi_hart_start(hart_id_t id, paddr_t start, uint64_t opaque);
/* Returns when the firmware cannot do it. */
void sbi_system_reset(bool reboot);
/* Identifies the core this hart is; all 0 with SBI 0.1, which cannot tell. */
struct sbi_machine {
    uint64_t vendor;         /* mvendorid */
    uint64_t architecture;   /* marchid */
    uint64_t implementation; /* mimpid */
};
struct sbi_machine sbi_machine(void);

/* Gives a thread without one an FP state; false when it has one already or memory is out. */
bool context_enable_fpu(struct context *context);

/* Handles pending interrupt number `cause`. */
void interrupt_handle(unsigned long cause);
void plic_handle(void);

/* entry.S */
extern char trap_entry[];
extern char gate_page_code[];
extern char uaccess_fault[];
/* boot.S */
extern char secondary_start[];
extern char secondary_virtual[];
/* kernel.ld */
extern char __image_start[], __text_end[], __rodata_end[], __image_end[], __uaccess_start[],
    __uaccess_end[];
extern char __boot_stack_guard[], __boot_stack[], __boot_stack_top[], __data_end[], __gate_page[];

/* Physical address of something inside the kernel image. */
paddr_t image_to_phys(const void *address);

/*
 * Physical address of any mapped kernel memory. *size, more than 0, is cut to what is in one piece
 * from there on.
 */
paddr_t kernel_to_phys(const void *address, size_t *size);

#endif
