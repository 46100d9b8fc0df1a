/*
 * The ELF checks; see elf.h. Structures and constants are those of the ELF-64 object file
 * format 1.5 and of the RISC-V psABI 1.0, chapter 8. All sums are of numbers already checked
 * against the file's size.
 */
#include "kernel/elf.h"

#include "kernel/elf_lines.h"
#include "kernel/log.h"

#include <ftl/sandbox_abi.h>
#include <string.h>

#define ELF_IDENT_CLASS     4
#define ELF_IDENT_DATA      5
#define ELF_IDENT_VERSION   6
#define ELF_CLASS_64        2
#define ELF_DATA_LITTLE     1
#define ELF_VERSION_CURRENT 1
#define ELF_TYPE_DYN        3
#define ELF_MACHINE_RISCV   243

#define EF_RISCV_RVC 0x1u
#define EF_RISCV_RVE 0x8u

#define PT_LOAD   1u
#define PT_INTERP 3u
#define PT_NOTE   4u
#define PF_X      0x1u
#define PF_W      0x2u
#define PF_R      0x4u

#define SHT_SYMTAB 2u
#define SHT_STRTAB 3u

#define STT_NOTYPE 0u
#define STT_FUNC   2u

#define MAX_PROGRAM_HEADERS 64u
#define MAX_SECTIONS        1024u
#define MAX_NOTE_SIZE       256u
#define NOTE_ALIGN          ((uint64_t)4)
#define MAX_SYMBOLS         65536u

struct elf_header {
    unsigned char ident[16];
    uint16_t type;
    uint16_t machine;
    uint32_t version;
    uint64_t entry;
    uint64_t program_offset;
    uint64_t section_offset;
    uint32_t flags;
    uint16_t header_size;
    uint16_t program_entry_size;
    uint16_t program_count;
    uint16_t section_entry_size;
    uint16_t section_count;
    uint16_t section_names;
};
_Static_assert(sizeof(struct elf_header) == 64, "ELF64 header");

struct elf_program {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t vaddr;
    uint64_t paddr;
    uint64_t file_size;
    uint64_t memory_size;
    uint64_t align;
};
_Static_assert(sizeof(struct elf_program) == 56, "ELF64 program header");

struct elf_section {
    uint32_t name;
    uint32_t type;
    uint64_t flags;
    uint64_t address;
    uint64_t offset;
    uint64_t size;
    uint32_t link;
    uint32_t info;
    uint64_t align;
    uint64_t entry_size;
};
_Static_assert(sizeof(struct elf_section) == 64, "ELF64 section header");

struct elf_symbol_entry {
    uint32_t name;
    uint8_t info;
    uint8_t other;
    uint16_t section;
    uint64_t value;
    uint64_t size;
};
_Static_assert(sizeof(struct elf_symbol_entry) == 24, "ELF64 symbol");

/* What the checks share. */
struct parser {
    const struct elf_reader *reader;
    struct elf_image *image;
    ftl_isolation_t isolation;
    uint64_t max_span;
    bool note_seen;
    uint32_t strtab; /* section with the symbols' names, once it has been read */
    char *why;
    size_t why_size;
};

static ftl_status_t refuse(struct parser *parser, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static ftl_status_t refuse(struct parser *parser, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    format_text_v(parser->why, parser->why_size, format, args);
    va_end(args);
    return FTL_ERR_BAD_FORMAT;
}

static bool in_file(const struct elf_reader *reader, uint64_t offset, uint64_t size)
{
    return offset <= reader->size && size <= reader->size - offset;
}

/* Copies a piece of the file which in_file() has said to be there. */
static ftl_status_t fetch(struct parser *parser, uint64_t offset, void *buffer, size_t size)
{
    const struct elf_reader *reader = parser->reader;
    if (reader->read(reader->context, offset, buffer, size)) {
        return FTL_OK;
    }
    format_text(parser->why, parser->why_size, "the file could not be read at offset %llu",
                (unsigned long long)offset);
    return FTL_ERR_BAD_ADDRESS;
}

/* --- The header --- */

static ftl_status_t check_ident(struct parser *parser, const unsigned char *ident)
{
    if (memcmp(ident, "\177ELF", 4) != 0) {
        return refuse(parser, "not an ELF file: bad magic number");
    }
    if (ident[ELF_IDENT_CLASS] != ELF_CLASS_64) {
        return refuse(parser, "ELF class %u is not 64-bit", ident[ELF_IDENT_CLASS]);
    }
    if (ident[ELF_IDENT_DATA] != ELF_DATA_LITTLE) {
        return refuse(parser, "ELF data encoding %u is not little-endian", ident[ELF_IDENT_DATA]);
    }
    if (ident[ELF_IDENT_VERSION] != ELF_VERSION_CURRENT) {
        return refuse(parser, "ELF version %u is not 1", ident[ELF_IDENT_VERSION]);
    }
    return FTL_OK;
}

static ftl_status_t check_header(struct parser *parser, const struct elf_header *header)
{
    ftl_status_t status = check_ident(parser, header->ident);
    if (status != FTL_OK) {
        return status;
    }
    if (header->type != ELF_TYPE_DYN) {
        return refuse(parser, "ELF type %u is not a position-independent executable", header->type);
    }
    if (header->machine != ELF_MACHINE_RISCV) {
        return refuse(parser, "ELF machine %u is not RISC-V", header->machine);
    }
    if ((header->flags & EF_RISCV_RVE) != 0) {
        return refuse(parser, "the code is for RV64E, which has another calling convention");
    }
    if (parser->isolation == FTL_ISOLATION_SANDBOX && (header->flags & EF_RISCV_RVC) != 0) {
        return refuse(parser, "sandboxed code must not have compressed instructions");
    }
    if (header->program_entry_size != sizeof(struct elf_program)) {
        return refuse(parser, "program headers of %u bytes, not 56", header->program_entry_size);
    }
    if (header->program_count > MAX_PROGRAM_HEADERS) {
        return refuse(parser, "%u program headers, more than %u", header->program_count,
                      MAX_PROGRAM_HEADERS);
    }
    if (!in_file(parser->reader, header->program_offset,
                 header->program_count * sizeof(struct elf_program))) {
        return refuse(parser, "the program headers are outside the file");
    }
    return FTL_OK;
}

/* --- Segments --- */

/* Checks what one PT_LOAD says of itself. `i` is its number among them. */
static ftl_status_t check_segment(struct parser *parser, const struct elf_program *program,
                                  size_t i)
{
    if (program->memory_size == 0) {
        return refuse(parser, "segment %zu is empty", i);
    }
    if (program->file_size > program->memory_size) {
        return refuse(parser, "segment %zu has more bytes in the file than in memory", i);
    }
    if (!in_file(parser->reader, program->offset, program->file_size)) {
        return refuse(parser, "segment %zu is outside the file", i);
    }
    if (program->vaddr > parser->max_span ||
        program->memory_size > parser->max_span - program->vaddr) {
        return refuse(parser, "segment %zu ends beyond the %llu bytes an image may span", i,
                      (unsigned long long)parser->max_span);
    }
    if (program->offset % PAGE_SIZE != program->vaddr % PAGE_SIZE) {
        return refuse(parser, "segment %zu: file offset and address differ within a page", i);
    }
    if ((program->flags & PF_W) != 0 && (program->flags & PF_X) != 0) {
        return refuse(parser, "segment %zu is writable and executable", i);
    }
    if ((program->flags & PF_R) == 0) {
        return refuse(parser, "segment %zu is not readable", i);
    }
    return FTL_OK;
}

/* Checks where a segment lies, after those before it. */
static ftl_status_t check_placement(struct parser *parser, const struct elf_program *program,
                                    size_t i)
{
    if (i == 0) {
        return FTL_OK;
    }
    const struct elf_segment *before = &parser->image->segments[i - 1];
    if (program->vaddr < before->vaddr) {
        return refuse(parser, "segment %zu is not in ascending order", i);
    }
    if (program->vaddr < before->vaddr + before->memory_size) {
        return refuse(parser, "segments %zu and %zu overlap", i - 1, i);
    }
    if (ALIGN_DOWN(program->vaddr, PAGE_SIZE) < parser->image->span) {
        return refuse(parser, "segments %zu and %zu share a page", i - 1, i);
    }
    return FTL_OK;
}

static uint32_t segment_perms(uint32_t flags)
{
    return FTL_MAP_READ | ((flags & PF_W) != 0 ? FTL_MAP_WRITE : 0) |
           ((flags & PF_X) != 0 ? FTL_MAP_EXEC : 0);
}

static ftl_status_t add_segment(struct parser *parser, const struct elf_program *program)
{
    struct elf_image *image = parser->image;
    size_t i = image->segment_count;
    if (i == ELF_MAX_SEGMENTS) {
        return refuse(parser, "more than %d segments to load", ELF_MAX_SEGMENTS);
    }
    ftl_status_t status = check_segment(parser, program, i);
    if (status == FTL_OK) {
        status = check_placement(parser, program, i);
    }
    if (status != FTL_OK) {
        return status;
    }
    image->segments[i] = (struct elf_segment){
        .vaddr = program->vaddr,
        .memory_size = program->memory_size,
        .file_size = program->file_size,
        .offset = program->offset,
        .perms = segment_perms(program->flags),
    };
    image->segment_count++;
    image->span = ALIGN_UP(program->vaddr + program->memory_size, PAGE_SIZE);
    return FTL_OK;
}

/* The gate is mapped over a sandboxed image's first page, code follows it (see
 * <ftl/sandbox_abi.h>). */
static ftl_status_t check_gate(struct parser *parser)
{
    const struct elf_segment *first = &parser->image->segments[0];
    if ((first->perms & FTL_MAP_EXEC) == 0 || first->vaddr != FTL_GATE_OFFSET) {
        return refuse(parser,
                      "a sandboxed image must start with an executable segment at address 0");
    }
    if (first->file_size <= FTL_GATE_SIZE) {
        return refuse(parser, "the first segment has no code behind the gate's page");
    }
    if (parser->image->entry < FTL_GATE_SIZE) {
        return refuse(parser, "the entry point is in the gate's page");
    }
    return FTL_OK;
}

static ftl_status_t check_segments(struct parser *parser)
{
    const struct elf_image *image = parser->image;
    if (image->segment_count == 0) {
        return refuse(parser, "there is no segment to load");
    }
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];
        if ((segment->perms & FTL_MAP_EXEC) != 0 && image->entry >= segment->vaddr &&
            image->entry - segment->vaddr < segment->file_size) {
            return parser->isolation == FTL_ISOLATION_SANDBOX ? check_gate(parser) : FTL_OK;
        }
    }
    return refuse(parser, "the entry point %#llx is not in an executable segment",
                  (unsigned long long)image->entry);
}

/* --- The note --- */

struct note {
    uint32_t name_size;
    uint32_t content_size;
    uint32_t type;
    char name[4]; /* "FTL" */
    uint32_t abi_version;
    uint32_t isolation;
    uint32_t flavour;
    uint32_t isa;
};

static ftl_status_t check_note(struct parser *parser, const struct note *note)
{
    bool sandbox = parser->isolation == FTL_ISOLATION_SANDBOX;
    if (parser->note_seen) {
        return refuse(parser, "there are two FTL notes");
    }
    parser->note_seen = true;
    if (note->abi_version != FTL_NOTE_ABI_VERSION) {
        return refuse(parser, "built for FTL ABI %u, this kernel has %d", note->abi_version,
                      FTL_NOTE_ABI_VERSION);
    }
    if (note->isolation != (uint32_t)parser->isolation) {
        return refuse(parser, "not built for %s isolation", sandbox ? "sandbox" : "user");
    }
    if (sandbox ? note->flavour != FTL_FLAVOUR_TRAP && note->flavour != FTL_FLAVOUR_MASK
                : note->flavour != FTL_FLAVOUR_NONE) {
        return refuse(parser, "the FTL note's flavour %u does not go with its isolation",
                      note->flavour);
    }
    if ((note->isa & ~(uint32_t)(FTL_ISA_ZBA | FTL_ISA_ZBB)) != 0) {
        return refuse(parser, "needs unknown ISA extensions %#x", note->isa);
    }
    parser->image->flavour = note->flavour;
    parser->image->isa = note->isa;
    return FTL_OK;
}

/* Looks for ours among the notes of a PT_NOTE (ELF-64 object file format, note section). */
static ftl_status_t scan_notes(struct parser *parser, const struct elf_program *program)
{
    char notes[MAX_NOTE_SIZE];
    if (program->file_size > sizeof(notes)) {
        return refuse(parser, "notes of %llu bytes, more than %u",
                      (unsigned long long)program->file_size, MAX_NOTE_SIZE);
    }
    if (!in_file(parser->reader, program->offset, program->file_size)) {
        return refuse(parser, "the notes are outside the file");
    }
    size_t size = (size_t)program->file_size;
    ftl_status_t status = fetch(parser, program->offset, notes, size);
    size_t at = 0;
    while (status == FTL_OK && size - at >= offsetof(struct note, name)) {
        struct note note;
        memcpy(&note, notes + at, offsetof(struct note, name));
        size_t content = at + offsetof(struct note, name) + ALIGN_UP(note.name_size, NOTE_ALIGN);
        size_t next = content + ALIGN_UP(note.content_size, NOTE_ALIGN);
        if (next > size) {
            return refuse(parser, "a note is cut off");
        }
        if (note.type == FTL_NOTE_TYPE && next - at == sizeof(note) &&
            note.name_size == sizeof(note.name)) {
            memcpy(&note, notes + at, sizeof(note));
            if (memcmp(note.name, "FTL", sizeof(note.name)) == 0) {
                status = check_note(parser, &note);
            }
        }
        at = next;
    }
    return status;
}

/* --- Program headers and sections --- */

static ftl_status_t parse_programs(struct parser *parser, const struct elf_header *header)
{
    for (size_t i = 0; i < header->program_count; i++) {
        struct elf_program program;
        ftl_status_t status =
            fetch(parser, header->program_offset + i * sizeof(program), &program, sizeof(program));
        if (status != FTL_OK) {
            return status;
        }
        switch (program.type) {
        case PT_LOAD: status = add_segment(parser, &program); break;
        case PT_NOTE: status = scan_notes(parser, &program); break;
        case PT_INTERP: return refuse(parser, "needs a program interpreter: not linked statically");
        default: break;
        }
        if (status != FTL_OK) {
            return status;
        }
    }
    ftl_status_t status = check_segments(parser);
    if (status == FTL_OK && !parser->note_seen) {
        status = refuse(parser, "there is no FTL note: not built by ftl-cc");
    }
    return status;
}

/* Takes in the symbol table at *symtab and its string table, which section `link` must be. */
static ftl_status_t set_symtab(struct parser *parser, const struct elf_header *header,
                               const struct elf_section *symtab)
{
    struct elf_section strtab;
    if (symtab->entry_size != sizeof(struct elf_symbol_entry) ||
        !in_file(parser->reader, symtab->offset, symtab->size)) {
        return refuse(parser, "the symbol table is malformed or outside the file");
    }
    if (symtab->link >= header->section_count) {
        return refuse(parser, "the symbol table has no string table");
    }
    ftl_status_t status = fetch(parser, header->section_offset + symtab->link * sizeof(strtab),
                                &strtab, sizeof(strtab));
    if (status != FTL_OK) {
        return status;
    }
    if (strtab.type != SHT_STRTAB || !in_file(parser->reader, strtab.offset, strtab.size)) {
        return refuse(parser, "the symbols' string table is malformed or outside the file");
    }
    parser->strtab = symtab->link;
    parser->image->symtab_offset = symtab->offset;
    parser->image->symbol_count = symtab->size / sizeof(struct elf_symbol_entry);
    parser->image->strtab_offset = strtab.offset;
    parser->image->strtab_size = strtab.size;
    return FTL_OK;
}

/* Takes in the table that <ftl/sandbox_abi.h> describes at FTL_CLAIMS_TYPE. */
static ftl_status_t set_claims(struct parser *parser, const struct elf_section *claims)
{
    if (!in_file(parser->reader, claims->offset, claims->size)) {
        return refuse(parser, "the claims for the verifier are outside the file");
    }
    parser->image->claims_offset = claims->offset;
    parser->image->claims_size = claims->size;
    return FTL_OK;
}

/* Takes in the table that kernel/elf_lines.h describes. */
static ftl_status_t set_lines(struct parser *parser, const struct elf_section *lines)
{
    if (!in_file(parser->reader, lines->offset, lines->size)) {
        return refuse(parser, "the table of source lines is outside the file");
    }
    parser->image->lines_offset = lines->offset;
    parser->image->lines_size = lines->size;
    return FTL_OK;
}

static ftl_status_t take_section(struct parser *parser, const struct elf_header *header,
                                 const struct elf_section *section)
{
    switch (section->type) {
    case FTL_CLAIMS_TYPE: return set_claims(parser, section);
    case ELF_LINES_TYPE: return set_lines(parser, section);
    case SHT_SYMTAB: return set_symtab(parser, header, section);
    default: return FTL_OK;
    }
}

static ftl_status_t parse_sections(struct parser *parser, const struct elf_header *header)
{
    if (header->section_count == 0) {
        return FTL_OK;
    }
    if (header->section_entry_size != sizeof(struct elf_section)) {
        return refuse(parser, "section headers of %u bytes, not 64", header->section_entry_size);
    }
    if (header->section_count > MAX_SECTIONS) {
        return refuse(parser, "%u sections, more than %u", header->section_count, MAX_SECTIONS);
    }
    if (!in_file(parser->reader, header->section_offset,
                 header->section_count * sizeof(struct elf_section))) {
        return refuse(parser, "the section headers are outside the file");
    }
    for (size_t i = 0; i < header->section_count; i++) {
        struct elf_section section;
        if (i > 0 && i == parser->strtab) {
            continue;
        }
        ftl_status_t status =
            fetch(parser, header->section_offset + i * sizeof(section), &section, sizeof(section));
        if (status == FTL_OK) {
            status = take_section(parser, header, &section);
        }
        if (status != FTL_OK) {
            return status;
        }
    }
    return FTL_OK;
}

ftl_status_t elf_parse(const struct elf_reader *reader, ftl_isolation_t isolation,
                       uint64_t max_span, struct elf_image *image, char *why, size_t why_size)
{
    struct parser parser = {
        .reader = reader,
        .image = image,
        .isolation = isolation,
        .max_span = max_span,
        .why = why,
        .why_size = why_size,
    };
    struct elf_header header;
    memset(image, 0, sizeof(*image));
    if (!in_file(reader, 0, sizeof(header))) {
        return refuse(&parser, "not an ELF file: %llu bytes are too few",
                      (unsigned long long)reader->size);
    }
    ftl_status_t status = fetch(&parser, 0, &header, sizeof(header));
    if (status == FTL_OK) {
        status = check_header(&parser, &header);
    }
    if (status == FTL_OK) {
        image->entry = header.entry;
        status = parse_programs(&parser, &header);
    }
    return status == FTL_OK ? parse_sections(&parser, &header) : status;
}

bool elf_code_layout(const struct elf_image *image, struct ftl_code_layout *layout)
{
    const struct elf_segment *code = &image->segments[0];
    for (size_t i = 1; i < image->segment_count; i++) {
        if ((image->segments[i].perms & FTL_MAP_EXEC) != 0) {
            return false;
        }
    }
    if (code->memory_size <= FTL_GATE_SIZE) {
        return false;
    }
    uint64_t cut = code->file_size < FTL_GATE_SIZE ? code->file_size : FTL_GATE_SIZE;
    *layout = (struct ftl_code_layout){
        .file_offset = code->offset + cut,
        .file_size = code->file_size - cut,
        .memory_size = code->memory_size - FTL_GATE_SIZE,
        .image_size = image->span,
        .entry = image->entry,
        .claims_offset = image->claims_offset,
        .claims_size = image->claims_size,
    };
    return true;
}

/* --- Symbols --- */

/* Returns the executable segment that holds vaddr, or NULL. */
static const struct elf_segment *code_segment(const struct elf_image *image, uint64_t vaddr)
{
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];
        if ((segment->perms & FTL_MAP_EXEC) != 0 && vaddr >= segment->vaddr &&
            vaddr - segment->vaddr < segment->memory_size) {
            return segment;
        }
    }
    return NULL;
}

/* Functions, and labels of hand-written assembly without a type. */
static bool is_candidate(const struct elf_symbol_entry *symbol)
{
    unsigned type = symbol->info & 0xfu;
    return symbol->section != 0 && symbol->name != 0 && (type == STT_FUNC || type == STT_NOTYPE);
}

/* Whether `symbol` (not after vaddr) tells more than `best`: a function that holds vaddr, else the
 * nearest. */
static bool is_better(const struct elf_symbol_entry *symbol, const struct elf_symbol_entry *best,
                      uint64_t vaddr)
{
    bool holds = (symbol->info & 0xfu) == STT_FUNC && vaddr - symbol->value < symbol->size;
    bool best_holds = (best->info & 0xfu) == STT_FUNC && vaddr - best->value < best->size;
    if (best->name == 0 || holds != best_holds) {
        return best->name == 0 || holds;
    }
    if (symbol->value != best->value) {
        return symbol->value > best->value;
    }
    return (symbol->info & 0xfu) == STT_FUNC && (best->info & 0xfu) != STT_FUNC;
}

/* Copies a name from the string table. Returns false for one that is empty, outside, or a mapping
 * symbol ($x). */
static bool copy_name(const struct elf_reader *reader, const struct elf_image *image, uint32_t at,
                      char *name, size_t name_size)
{
    if (at >= image->strtab_size || name_size < 2) {
        return false;
    }
    uint64_t room = image->strtab_size - at;
    size_t size = room < name_size - 1 ? (size_t)room : name_size - 1;
    if (!reader->read(reader->context, image->strtab_offset + at, name, size)) {
        return false;
    }
    name[size] = '\0';
    for (char *c = name; *c != '\0'; c++) {
        *c = *c >= ' ' && *c <= '~' ? *c : '?';
    }
    return name[0] != '\0' && name[0] != '$';
}

bool elf_symbol(const struct elf_reader *reader, const struct elf_image *image, uint64_t vaddr,
                char *name, size_t name_size, uint64_t *offset_in_symbol)
{
    const struct elf_segment *segment = code_segment(image, vaddr);
    struct elf_symbol_entry best = { 0 };
    struct elf_symbol_entry batch[16];
    uint64_t count = image->symbol_count < MAX_SYMBOLS ? image->symbol_count : MAX_SYMBOLS;
    if (segment == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < count; i += ARRAY_SIZE(batch)) {
        size_t some = count - i < ARRAY_SIZE(batch) ? (size_t)(count - i) : ARRAY_SIZE(batch);
        if (!reader->read(reader->context, image->symtab_offset + i * sizeof(batch[0]), batch,
                          some * sizeof(batch[0]))) {
            return false;
        }
        for (size_t j = 0; j < some; j++) {
            const struct elf_symbol_entry *symbol = &batch[j];
            if (!is_candidate(symbol) || symbol->value < segment->vaddr || symbol->value > vaddr ||
                !is_better(symbol, &best, vaddr)) {
                continue;
            }
            if (copy_name(reader, image, symbol->name, name, name_size)) {
                best = *symbol;
            }
        }
    }
    if (best.name == 0 || !copy_name(reader, image, best.name, name, name_size)) {
        return false;
    }
    *offset_in_symbol = vaddr - best.value;
    return true;
}
