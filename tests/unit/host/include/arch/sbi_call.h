/* The firmware is a model that the test defines. */
#ifndef ARCH_SBI_CALL_H
#define ARCH_SBI_CALL_H

#include "arch/sbi.h"

struct sbi_result sbi_call_5(unsigned long extension, unsigned long function, unsigned long arg0,
                             unsigned long arg1, unsigned long arg2, unsigned long arg3,
                             unsigned long arg4);

static inline struct sbi_result sbi_call(unsigned long extension, unsigned long function,
                                         unsigned long arg0, unsigned long arg1, unsigned long arg2,
                                         unsigned long arg3)
{
    return sbi_call_5(extension, function, arg0, arg1, arg2, arg3, 0);
}

#endif
