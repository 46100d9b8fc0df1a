/* The fields of satp: numbers, which serve the host too. */
#include "arch/riscv/include/arch/satp.h"
