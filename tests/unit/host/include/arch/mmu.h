/*
 * Page tables are plain memory, so the target's header serves the host too, over the host's phys.h.
 */
#include "arch/riscv/include/arch/mmu.h"
