/*
 * The machine: the target's interface; the simulator (sim/sim.h) stands in for what is behind it.
 */
#include "arch/riscv/include/arch/platform.h"
