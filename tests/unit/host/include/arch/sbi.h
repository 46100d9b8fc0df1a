/* Numbers: the target's. */
#include "arch/riscv/include/arch/sbi.h"
