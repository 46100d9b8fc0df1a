/*
 * Writes instructions as text, for refusals and reports. Freestanding; no part of the proof.
 */
#ifndef KERNEL_SANDBOX_DISASSEMBLE_H
#define KERNEL_SANDBOX_DISASSEMBLE_H

#include "kernel/sandbox/decode.h"

/*
 * Writes word as text ("lw a0, 8(s9)") into text, NUL-terminated, cut if size is too small. A word
 * that is no permitted form is shown as ".word 0x...".
 */
void sandbox_disassemble(const struct sandbox_decoder *decoder, uint32_t word, char *text,
                         size_t size);

/* ABI name of integer register number (0..31). */
const char *sandbox_register_name(unsigned int number);

#endif
