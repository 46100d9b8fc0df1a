/*
 * What the kernel knows of the machine it was started on, as plain data: filled from the device
 * tree by devicetree_parse(), then read only (but for boot_reserve()). All addresses are physical.
 * Everything in it has been checked: ranges do not wrap, devices do not overlap RAM, strings end in
 * NUL.
 */
#ifndef KERNEL_BOOT_INFO_H
#define KERNEL_BOOT_INFO_H

#include "kernel/types.h"

#define BOOT_MAX_MEMORY   16
#define BOOT_MAX_RESERVED 64
#define BOOT_MAX_VIRTIO   32
#define BOOT_MAX_WARNINGS 8
#define BOOT_ARGS_SIZE    1024 /* bytes of the command line, the terminating NUL included */
#define BOOT_TEXT_SIZE    160  /* bytes of an error or a warning, the terminating NUL included */

/* Sv39 physical addresses have 56 bits (Privileged Architecture, 12.4.1). */
#define BOOT_PHYSICAL_LIMIT ((paddr_t)1 << 56)

/* Physical range [start, end), never empty. */
struct boot_range {
    paddr_t start;
    paddr_t end;
};

struct boot_reserved {
    paddr_t start;
    paddr_t end;
    bool no_map; /* must not even be mapped, lest speculation touches it (firmware) */
};

/* ISA extensions of a hart, as far as the kernel or its processes care. */
#define BOOT_ISA_I      (1u << 0)
#define BOOT_ISA_M      (1u << 1)
#define BOOT_ISA_A      (1u << 2)
#define BOOT_ISA_F      (1u << 3)
#define BOOT_ISA_D      (1u << 4)
#define BOOT_ISA_C      (1u << 5)
#define BOOT_ISA_V      (1u << 6)
#define BOOT_ISA_H      (1u << 7)
#define BOOT_ISA_ZBA    (1u << 8)
#define BOOT_ISA_ZBB    (1u << 9)
#define BOOT_ISA_SSTC   (1u << 10)
#define BOOT_ISA_SVPBMT (1u << 11)
#define BOOT_ISA_SVADU  (1u << 12)

/* What a hart must have for the kernel to run on it: the kernel is compiled for rv64imac. */
#define BOOT_ISA_REQUIRED (BOOT_ISA_I | BOOT_ISA_M | BOOT_ISA_A | BOOT_ISA_C)

/* A hart the kernel can run on: enabled, rv64imac, with an MMU that has Sv39. */
struct boot_hart {
    hart_id_t id;
    uint32_t isa;         /* BOOT_ISA_ bits */
    int32_t plic_context; /* of its S mode; -1: none, it takes no device interrupts */
};

enum boot_uart_kind {
    BOOT_UART_NONE = 0,
    BOOT_UART_NS16550A,
    BOOT_UART_DW_APB,
    BOOT_UART_SIFIVE,
};

/* A memory-mapped device; absent when size is 0. */
struct boot_device {
    paddr_t base;
    uint64_t size;
    uint32_t irq; /* source of the PLIC in boot_info; 0: none */
};

struct boot_uart {
    enum boot_uart_kind kind;
    struct boot_device device; /* base does not include reg_offset */
    uint32_t reg_offset;       /* bytes from base to the first register */
    uint32_t reg_shift;        /* registers are 1 << reg_shift bytes apart; 0..3 */
    uint32_t reg_width;        /* bytes of one access: 1, 2 or 4 */
    uint32_t clock;            /* Hz; 0: unknown, keep the baud rate that the firmware set */
    uint32_t speed;            /* baud; 0: unknown */
};

struct boot_plic {
    struct boot_device device; /* its irq is 0 */
    uint32_t sources;          /* interrupt sources are 1..sources */
};

struct boot_info {
    struct boot_range memory[BOOT_MAX_MEMORY]; /* whole pages, sorted, apart from each other */
    size_t memory_count;
    struct boot_reserved
        reserved[BOOT_MAX_RESERVED]; /* whole pages, sorted by start; may overlap */
    size_t reserved_count;
    struct boot_range dtb; /* exact bytes of the device tree; in reserved too */
    struct boot_range
        initrd; /* exact bytes, inside one memory range; in reserved too; {0, 0}: none */
    char bootargs[BOOT_ARGS_SIZE];

    struct boot_hart harts[MAX_HARTS]; /* usable ones, in the tree's order */
    size_t hart_count;
    uint32_t isa_common;         /* BOOT_ISA_ bits that all of harts[] have */
    uint64_t timebase_frequency; /* Hz of the `time` CSR, never 0 */

    struct boot_uart uart;
    struct boot_plic plic;
    struct boot_device test_finisher; /* "sifive,test0": ends QEMU with an exit status */
    struct boot_device rtc;           /* "google,goldfish-rtc" */
    struct boot_device virtio[BOOT_MAX_VIRTIO];
    size_t virtio_count;

    char warnings[BOOT_MAX_WARNINGS][BOOT_TEXT_SIZE]; /* oddities the kernel can live with */
    size_t warning_count;
    size_t warnings_lost; /* warnings there was no room for */
};

struct boot_error {
    char text[BOOT_TEXT_SIZE];
};

/*
 * Adds RAM, becoming one with ranges it overlaps or touches. The range must not be empty or upside
 * down. Returns false, with nothing changed, when there are too many ranges.
 */
bool boot_add_memory(struct boot_info *info, paddr_t start, paddr_t end);

/*
 * Reserves the pages that [start, end) touches: they are not handed out by boot_next_free(). An
 * empty range is fine. Returns false, with nothing changed, when the table is full or the range is
 * upside down or ends beyond BOOT_PHYSICAL_LIMIT.
 */
bool boot_reserve(struct boot_info *info, paddr_t start, paddr_t end, bool no_map);

/*
 * Iterates over the RAM that is not reserved, in whole pages, ascending: start with *cursor = 0,
 * then call until it returns false. Ranges never overlap or touch a reserved page.
 */
bool boot_next_free(const struct boot_info *info, paddr_t *cursor, struct boot_range *range);

/* Whether [start, end) lies inside one range of RAM, reserved or not. */
bool boot_is_memory(const struct boot_info *info, paddr_t start, paddr_t end);

#endif
