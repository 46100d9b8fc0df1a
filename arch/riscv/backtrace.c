/* Backtraces by frame pointer: s0 points behind a saved ra and the caller's s0 (RISC-V psABI,
 * "Frame Pointer"). */
#include "arch/internal.h"
#include "arch/platform.h"

#include "arch/offsets.h"

/* Frames lie on one kernel stack and only ever go up. */
static bool plausible(uintptr_t frame, uintptr_t previous)
{
    bool in_image = frame >= (uintptr_t)__boot_stack && frame <= (uintptr_t)__boot_stack_top;
    bool in_vmap = frame >= VMAP_BASE && frame < VMAP_BASE + VMAP_SIZE;
    return IS_ALIGNED(frame, sizeof(uintptr_t)) && frame > previous &&
           frame - previous < HART_STACK_SIZE && (in_image || in_vmap);
}

static bool is_code(uintptr_t address)
{
    return address >= (uintptr_t)__image_start && address < (uintptr_t)__text_end;
}

size_t backtrace(uintptr_t *addresses, size_t max, uintptr_t frame, uintptr_t pc)
{
    size_t count = 0;
    if (pc != 0 && count < max) {
        addresses[count++] = pc;
    }
    if (frame == 0 && pc == 0) {
        frame = (uintptr_t)__builtin_frame_address(0);
    }
    uintptr_t previous = frame - 1;
    while (count < max && plausible(frame, previous)) {
        const uintptr_t *saved = (const uintptr_t *)frame;
        if (!is_code(saved[-1])) {
            break;
        }
        addresses[count++] = saved[-1];
        previous = frame;
        frame = saved[-2];
    }
    return count;
}
