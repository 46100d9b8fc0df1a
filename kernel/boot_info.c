/* The ranges of struct boot_info: what is RAM, what of it is taken, and what is left. */
#include "kernel/boot_info.h"

#include <string.h>

bool boot_add_memory(struct boot_info *info, paddr_t start, paddr_t end)
{
    size_t first = 0;
    while (first < info->memory_count && info->memory[first].end < start) {
        first++;
    }
    /* [first, last) are the ranges which the new one touches: they become one with it. */
    size_t last = first;
    while (last < info->memory_count && info->memory[last].start <= end) {
        start = info->memory[last].start < start ? info->memory[last].start : start;
        end = info->memory[last].end > end ? info->memory[last].end : end;
        last++;
    }
    size_t count = info->memory_count - (last - first) + 1;
    if (count > BOOT_MAX_MEMORY) {
        return false;
    }
    memmove(&info->memory[first + 1], &info->memory[last],
            (info->memory_count - last) * sizeof(info->memory[0]));
    info->memory[first] = (struct boot_range){ .start = start, .end = end };
    info->memory_count = count;
    return true;
}

bool boot_reserve(struct boot_info *info, paddr_t start, paddr_t end, bool no_map)
{
    if (start > end || end > BOOT_PHYSICAL_LIMIT) {
        return false;
    }
    if (start == end) {
        return true;
    }
    if (info->reserved_count == BOOT_MAX_RESERVED) {
        return false;
    }
    struct boot_reserved range = {
        .start = ALIGN_DOWN(start, PAGE_SIZE),
        .end = ALIGN_UP(end, PAGE_SIZE),
        .no_map = no_map,
    };
    size_t at = info->reserved_count++;
    for (; at > 0 && info->reserved[at - 1].start > range.start; at--) {
        info->reserved[at] = info->reserved[at - 1];
    }
    info->reserved[at] = range;
    return true;
}

/* Moves range->start past what is reserved there, and range->end back to what is reserved next. */
static void cut_reserved(const struct boot_info *info, struct boot_range *range)
{
    for (size_t i = 0; i < info->reserved_count; i++) {
        const struct boot_reserved *reserved = &info->reserved[i];
        if (reserved->end <= range->start) {
            continue;
        }
        if (reserved->start > range->start) {
            /* Sorted by start: none of those that follow begins earlier. */
            range->end = reserved->start < range->end ? reserved->start : range->end;
            return;
        }
        range->start = reserved->end;
    }
}

bool boot_next_free(const struct boot_info *info, paddr_t *cursor, struct boot_range *range)
{
    for (size_t i = 0; i < info->memory_count; i++) {
        *range = info->memory[i];
        range->start = *cursor > range->start ? *cursor : range->start;
        cut_reserved(info, range);
        if (range->start < range->end) {
            *cursor = range->end;
            return true;
        }
    }
    return false;
}

bool boot_is_memory(const struct boot_info *info, paddr_t start, paddr_t end)
{
    for (size_t i = 0; i < info->memory_count; i++) {
        if (info->memory[i].start <= start && start <= end && end <= info->memory[i].end) {
            return true;
        }
    }
    return false;
}
