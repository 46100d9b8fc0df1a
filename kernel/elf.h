/*
 * Checks an FTL executable (ELF64, RISC-V, static PIE; see <ftl/sandbox_abi.h> for its note) and
 * says how to load it. The file may change under our hands: it is read through a callback, and a
 * header is checked and used from one and the same copy.
 */
#ifndef KERNEL_ELF_H
#define KERNEL_ELF_H

#include "kernel/types.h"

#include <ftl/status.h>

#define ELF_MAX_SEGMENTS 16
#define ELF_WHY_SIZE     128 /* enough for every text of elf_parse, the NUL included */

/* Access to the file. */
struct elf_reader {
    /*
     * Copies [offset, offset + size) of the file; never called beyond `size`. False: it could not.
     */
    bool (*read)(void *context, uint64_t offset, void *buffer, size_t size);
    void *context;
    uint64_t size; /* of the file, bytes */
};

/*
 * One PT_LOAD. No two share a page; vaddr and offset are equal modulo the page size, so the first
 * page's file bytes are those of the file page that holds offset: bytes outside [vaddr, vaddr +
 * filesz) must be zeroed.
 */
struct elf_segment {
    uint64_t vaddr;       /* relative to the base that the loader chooses */
    uint64_t memory_size; /* bytes, never 0 */
    uint64_t file_size;   /* bytes, at most memory_size */
    uint64_t offset;      /* in the file */
    uint32_t perms;       /* FTL_MAP_READ, with FTL_MAP_WRITE or FTL_MAP_EXEC or neither */
};

struct elf_image {
    struct elf_segment segments[ELF_MAX_SEGMENTS]; /* ascending */
    size_t segment_count;
    uint64_t entry;   /* relative like vaddr; inside the file bytes of an executable segment */
    uint64_t span;    /* bytes from vaddr 0 to the end of the last segment, whole pages */
    uint32_t flavour; /* FTL_FLAVOUR_ of its note */
    uint32_t isa;     /* FTL_ISA_ bits of its note: extensions the code needs */
    uint64_t symtab_offset; /* in the file; symbol_count 0: no symbols */
    uint64_t symbol_count;
    uint64_t strtab_offset;
    uint64_t strtab_size;
    uint64_t claims_offset; /* in the file, of the verifier's claims; claims_size 0: none */
    uint64_t claims_size;
    uint64_t lines_offset; /* in the file, of the table of source lines; lines_size 0: none */
    uint64_t lines_size;
};

/*
 * Reads and checks the headers for the given isolation; the image may span max_span bytes at most
 * (a multiple of the page size). Returns FTL_OK with *image filled, or FTL_ERR_BAD_FORMAT with the
 * reason in `why`, or FTL_ERR_BAD_ADDRESS when the reader failed. *image is undefined after an
 * error.
 */
ftl_status_t elf_parse(const struct elf_reader *reader, ftl_isolation_t isolation,
                       uint64_t max_span, struct elf_image *image, char *why, size_t why_size);

/*
 * Says where the code of a sandboxed image lies, without the page of its first segment that the
 * gate takes. False when another segment is executable too, or the first has nothing behind the
 * gate.
 */
bool elf_code_layout(const struct elf_image *image, struct ftl_code_layout *layout);

/*
 * Finds the function that holds vaddr (relative, as in the image), or the symbol nearest before it
 * in the same executable segment. Copies its name, cut to name_size, unprintable bytes replaced by
 * '?'. Looks at 65536 symbols at most. Returns whether one was found.
 */
bool elf_symbol(const struct elf_reader *reader, const struct elf_image *image, uint64_t vaddr,
                char *name, size_t name_size, uint64_t *offset_in_symbol);

#endif
