/* Reads the device tree's two ways of naming a hart's ISA (bindings/riscv/extensions.yaml). */
#ifndef KERNEL_ISA_H
#define KERNEL_ISA_H

#include "kernel/types.h"

/*
 * Reads a "riscv,isa" string such as "rv64imafdc_zba_zbb_sstc", of `size` bytes without a NUL: any
 * case, versions
 * (`i2p1`) and unknown extensions are passed over. Returns the BOOT_ISA_ bits, 0 when it is not an
 * rv64 ISA.
 */
uint32_t isa_parse_string(const char *text, size_t size);

/* Returns the BOOT_ISA_ bits that one extension's name ("c", "zba") stands for, 0 for one we do not
 * care for. */
uint32_t isa_parse_extension(const char *name, size_t size);

/* The BOOT_ISA_ bits without those that a list of names, with commas between, stands for. */
uint32_t isa_without(uint32_t isa, const char *names);

#endif
