/*
 * The kernel's function table; see symbols.h. The layout is that which scripts/mksymbols.py writes.
 */
#include "kernel/symbols.h"

#include "kernel/elf_lines.h"

#include <string.h>

/*
 * `count` functions, ascending. words[] has their offsets from base, then the offsets of their
 * names in the names, then the names, each with a NUL. `size` bytes from base on are text.
 */
struct symbol_table {
    uint64_t base;
    uint32_t size;
    uint32_t count;
    uint32_t words[];
};
extern const struct symbol_table symbols_table;

const char *symbols_find(vaddr_t address, size_t *offset)
{
    const struct symbol_table *table = &symbols_table;
    uint64_t distance = address - table->base;
    if (address < table->base || distance >= table->size) {
        return NULL;
    }
    /* [low, high) are those that may still be the last one at or before `distance`; the first one
     * is at 0. */
    uint32_t low = 0;
    uint32_t high = table->count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (table->words[middle] <= distance) {
            low = middle;
        } else {
            high = middle;
        }
    }
    *offset = (size_t)(distance - table->words[low]);
    const char *names = (const char *)&table->words[2 * (size_t)table->count];
    return names + table->words[table->count + low];
}

/* The table of lines, in the form that programs have it in: see elf_lines.h. */
extern const char symbols_lines[], symbols_lines_end[];

static bool read_lines(void *context, uint64_t offset, void *buffer, size_t size)
{
    (void)context;
    memcpy(buffer, symbols_lines + offset, size);
    return true;
}

bool symbols_line(vaddr_t address, char *file, size_t size, uint32_t *line)
{
    const struct elf_image image = { .lines_size = (uint64_t)(symbols_lines_end - symbols_lines) };
    const struct elf_reader reader = { .read = read_lines, .size = image.lines_size };
    return elf_line(&reader, &image, address, file, size, line);
}
