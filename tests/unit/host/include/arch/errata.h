/* The target's. */
#include "arch/riscv/include/arch/errata.h"
