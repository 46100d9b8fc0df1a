/*
 * The smallest ELF file that loaders take: headers, two segments and the note; what else is in it
 * is the test's.
 */
#ifndef HOST_ELF_FILE_H
#define HOST_ELF_FILE_H

#include <stddef.h>

#include <ftl/sandbox_abi.h>
#include <ftl/types.h>

#define ELF_FILE_CODE_SIZE   0x2000u /* at 0, executable; a sandbox's first page is the gate */
#define ELF_FILE_DATA        0x2000u /* writable; offset in file and image */
#define ELF_FILE_DATA_SIZE   0x1800u /* in the file */
#define ELF_FILE_DATA_MEMORY 0x2800u
#define ELF_FILE_SPAN        0x5000u
#define ELF_FILE_ENTRY       0x1010u

/* ELF64 (ELF-64 object file format). */
struct elf_file {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, program_offset, section_offset;
    uint32_t flags;
    uint16_t header_size, program_size, program_count, section_size, section_count, names;
    struct {
        uint32_t type, flags;
        uint64_t offset, vaddr, paddr, file_size, memory_size, align;
    } programs[3];
    uint32_t note_sizes[3];
    char note_name[4];
    uint32_t note[4];
};

static inline struct elf_file elf_file_headers(ftl_isolation_t isolation)
{
    bool sandbox = isolation == FTL_ISOLATION_SANDBOX;
    return (struct elf_file){
        .ident = { 0x7f, 'E', 'L', 'F', 2, 1, 1 },
        .type = 3,
        .machine = 243,
        .version = 1,
        .entry = ELF_FILE_ENTRY,
        .program_offset = offsetof(struct elf_file, programs),
        .header_size = 64,
        .program_size = 56,
        .program_count = 3,
        .programs = {
            { 1, 5, 0, 0, 0, ELF_FILE_CODE_SIZE, ELF_FILE_CODE_SIZE, FTL_PAGE_SIZE },
            { 1, 6, ELF_FILE_DATA, ELF_FILE_DATA, ELF_FILE_DATA, ELF_FILE_DATA_SIZE,
              ELF_FILE_DATA_MEMORY, FTL_PAGE_SIZE },
            { 4, 4, offsetof(struct elf_file, note_sizes), 0, 0, 32, 32, 4 },
        },
        .note_sizes = { 4, 16, FTL_NOTE_TYPE },
        .note_name = "FTL",
        .note = { FTL_NOTE_ABI_VERSION, isolation, sandbox ? FTL_FLAVOUR_TRAP : FTL_FLAVOUR_NONE },
    };
}

#endif
