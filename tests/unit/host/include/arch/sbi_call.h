/* The firmware is a model that the test defines. */
#ifndef ARCH_SBI_CALL_H
#define ARCH_SBI_CALL_H

#include "arch/sbi.h"

struct sbi_result sbi_call(unsigned long extension, unsigned long function, unsigned long arg0,
                           unsigned long arg1, unsigned long arg2, unsigned long arg3);

#endif
