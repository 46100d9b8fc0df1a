/* Offsets that assembly uses: numbers, which serve the host too. */
#include "arch/riscv/include/arch/offsets.h"
