/* Ids of address spaces: plain memory, which serves the host too. */
#include "arch/riscv/include/arch/tlb_ids.h"
