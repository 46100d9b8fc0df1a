/*
 * How the firmware is called (RISC-V SBI specification 2.0, chapter 3). Host tests have a call of
 * their own, to a firmware that is a model.
 */
#ifndef ARCH_SBI_CALL_H
#define ARCH_SBI_CALL_H

#include "arch/sbi.h"

static inline struct sbi_result sbi_call_5(unsigned long extension, unsigned long function,
                                           unsigned long arg0, unsigned long arg1,
                                           unsigned long arg2, unsigned long arg3,
                                           unsigned long arg4)
{
    register unsigned long a0 __asm__("a0") = arg0;
    register unsigned long a1 __asm__("a1") = arg1;
    register unsigned long a2 __asm__("a2") = arg2;
    register unsigned long a3 __asm__("a3") = arg3;
    register unsigned long a4 __asm__("a4") = arg4;
    register unsigned long a6 __asm__("a6") = function;
    register unsigned long a7 __asm__("a7") = extension;
    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1)
                     : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7)
                     : "memory");
    return (struct sbi_result){ .error = (long)a0, .value = (long)a1 };
}

static inline struct sbi_result sbi_call(unsigned long extension, unsigned long function,
                                         unsigned long arg0, unsigned long arg1, unsigned long arg2,
                                         unsigned long arg3)
{
    return sbi_call_5(extension, function, arg0, arg1, arg2, arg3, 0);
}

#endif
