/* What the files of arch/riscv share: the target's interface. */
#include "arch/riscv/include/arch/internal.h"
