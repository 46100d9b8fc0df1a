/*
 * kernel/elf.h: a good ELF file of each isolation, made here with the C library's own <elf.h>;
 * every malformation by itself, with the text it gets; truncation and random damage. Reads are
 * checked to be inside the file and, because the file may change meanwhile, never of the same bytes
 * twice.
 */
#include "host/test.h"

#include "kernel/elf_lines.h"

#include <elf.h>
#include <ftl/sandbox_abi.h>
#include <stdio.h>

#define FILE_SIZE 0x4000u
#define MAX_SPAN  ((uint64_t)1 << 30)
#define MUTATIONS 60000

#define NOTE_OFFSET    0x200u
#define SYMTAB_OFFSET  0x3000u
#define STRTAB_OFFSET  0x3400u
#define SECTION_OFFSET 0x3800u
#define LOADS          4u /* index of the first PT_LOAD among the program headers */

/* The whole file; only what the loader looks at is set. */
union elf_file {
    unsigned char bytes[FILE_SIZE];
    struct {
        Elf64_Ehdr header;
        Elf64_Phdr programs[24];
    };
};

struct note {
    Elf64_Nhdr header;
    char name[4];
    uint32_t words[4];
};

static union elf_file elf;
static unsigned char read_map[FILE_SIZE];
static bool read_twice;
static uint64_t fail_at; /* a read that begins here fails */

static struct elf_image image;
static char why[ELF_WHY_SIZE];

static bool read_elf(void *context, uint64_t offset, void *buffer, size_t size)
{
    uint64_t file_size = *(uint64_t *)context;
    assert_true(offset <= file_size && size <= file_size - offset);
    if (offset == fail_at) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        read_twice |= read_map[offset + i] != 0;
        read_map[offset + i] = 1;
    }
    memcpy(buffer, elf.bytes + offset, size);
    return true;
}

static ftl_status_t parse_sized(ftl_isolation_t isolation, uint64_t size)
{
    struct elf_reader reader = { .read = read_elf, .context = &size, .size = size };
    memset(read_map, 0, sizeof(read_map));
    memset(&image, 0xa5, sizeof(image));
    memset(why, 0xa5, sizeof(why));
    read_twice = false;
    return elf_parse(&reader, isolation, MAX_SPAN, &image, why, sizeof(why));
}

static ftl_status_t parse(ftl_isolation_t isolation)
{
    return parse_sized(isolation, FILE_SIZE);
}

static bool find_symbol(uint64_t vaddr, char *name, size_t size, uint64_t *offset)
{
    uint64_t file_size = FILE_SIZE;
    struct elf_reader reader = { .read = read_elf, .context = &file_size, .size = file_size };
    return elf_symbol(&reader, &image, vaddr, name, size, offset);
}

static Elf64_Phdr load(uint32_t flags, uint64_t offset, uint64_t vaddr, uint64_t file_size,
                       uint64_t size)
{
    return (Elf64_Phdr){ .p_type = PT_LOAD,
                         .p_flags = flags,
                         .p_offset = offset,
                         .p_vaddr = vaddr,
                         .p_filesz = file_size,
                         .p_memsz = size,
                         .p_align = 4096 };
}

static struct note *note(void)
{
    return (struct note *)(void *)(elf.bytes + NOTE_OFFSET);
}

static Elf64_Shdr *section(size_t i)
{
    return (Elf64_Shdr *)(void *)(elf.bytes + SECTION_OFFSET) + i;
}

static Elf64_Sym *symbol(size_t i)
{
    return (Elf64_Sym *)(void *)(elf.bytes + SYMTAB_OFFSET) + i;
}

static void add_symbol(size_t i, const char *name, unsigned char type, uint64_t value,
                       uint64_t size)
{
    uint32_t at = (uint32_t)(16 * i);
    strcpy((char *)elf.bytes + STRTAB_OFFSET + at, name);
    *symbol(i) = (Elf64_Sym){
        .st_name = at, .st_info = type, .st_shndx = 1, .st_value = value, .st_size = size
    };
}

/* Sections: none, symtab, strtab. Symbols: as tests of elf_symbol expect them. */
static void make_symbols(void)
{
    *section(1) = (Elf64_Shdr){ .sh_type = SHT_SYMTAB,
                                .sh_offset = SYMTAB_OFFSET,
                                .sh_size = 9 * sizeof(Elf64_Sym),
                                .sh_link = 2,
                                .sh_entsize = sizeof(Elf64_Sym) };
    *section(2) =
        (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_offset = STRTAB_OFFSET, .sh_size = 0x200 };
    add_symbol(1, "$x", STT_NOTYPE, 0x1000, 0);
    add_symbol(2, "main", STT_FUNC, 0x1100, 0x40);
    add_symbol(3, "label", STT_NOTYPE, 0x1120, 0);
    add_symbol(4, "asm_function", STT_NOTYPE, 0x1180, 0);
    add_symbol(5, "alias", STT_NOTYPE, 0x1100, 0);
    add_symbol(6, "data", STT_OBJECT, 0x1190, 8);
    add_symbol(7, "rodata_label", STT_NOTYPE, 0x2010, 0);
    add_symbol(8, "b\033d", STT_FUNC, 0x1200, 0x10);
}

static void make(ftl_isolation_t isolation)
{
    bool sandbox = isolation == FTL_ISOLATION_SANDBOX;
    memset(&elf, 0, sizeof(elf));
    elf.header =
        (Elf64_Ehdr){ .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
                      .e_type = ET_DYN,
                      .e_machine = EM_RISCV,
                      .e_version = EV_CURRENT,
                      .e_entry = 0x1100,
                      .e_phoff = sizeof(Elf64_Ehdr),
                      .e_shoff = SECTION_OFFSET,
                      .e_flags = sandbox ? 0 : EF_RISCV_RVC,
                      .e_phentsize = sizeof(Elf64_Phdr),
                      .e_phnum = 7,
                      .e_shentsize = sizeof(Elf64_Shdr),
                      .e_shnum = 3 };
    elf.programs[0] = (Elf64_Phdr){ .p_type = PT_PHDR };
    elf.programs[1] =
        (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = NOTE_OFFSET, .p_filesz = sizeof(struct note) };
    elf.programs[2] = (Elf64_Phdr){ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W };
    elf.programs[3] = (Elf64_Phdr){ .p_type = PT_TLS };
    elf.programs[4] = load(PF_R | PF_X, 0x0, 0x0, 0x1800, 0x1800);
    elf.programs[5] = load(PF_R, 0x2000, 0x2000, 0x800, 0x800);
    elf.programs[6] = load(PF_R | PF_W, 0x2800, 0x3800, 0x400, 0x10900);
    *note() =
        (struct note){ .header = { .n_namesz = 4, .n_descsz = 16, .n_type = FTL_NOTE_TYPE },
                       .name = "FTL",
                       .words = { FTL_NOTE_ABI_VERSION, isolation,
                                  sandbox ? FTL_FLAVOUR_TRAP : FTL_FLAVOUR_NONE, FTL_ISA_ZBA } };
    make_symbols();
    fail_at = UINT64_MAX;
}

/* --- Good files --- */

static void good_file_is_described_whole(void **state)
{
    (void)state;
    make(FTL_ISOLATION_USER);
    assert_int_equal(parse(FTL_ISOLATION_USER), FTL_OK);
    assert_int_equal(image.segment_count, 3);
    assert_int_equal(image.segments[0].perms, FTL_MAP_READ | FTL_MAP_EXEC);
    assert_int_equal(image.segments[1].perms, FTL_MAP_READ);
    assert_int_equal(image.segments[2].perms, FTL_MAP_READ | FTL_MAP_WRITE);
    assert_int_equal(image.segments[2].vaddr, 0x3800);
    assert_int_equal(image.segments[2].offset, 0x2800);
    assert_int_equal(image.segments[2].file_size, 0x400);
    assert_int_equal(image.segments[2].memory_size, 0x10900);
    assert_int_equal(image.entry, 0x1100);
    assert_int_equal(image.span, 0x15000);
    assert_int_equal(image.flavour, FTL_FLAVOUR_NONE);
    assert_int_equal(image.isa, FTL_ISA_ZBA);
    assert_int_equal(image.symtab_offset, SYMTAB_OFFSET);
    assert_int_equal(image.symbol_count, 9);
    assert_int_equal(image.strtab_offset, STRTAB_OFFSET);
    assert_int_equal(image.strtab_size, 0x200);
    make(FTL_ISOLATION_SANDBOX);
    assert_int_equal(parse(FTL_ISOLATION_SANDBOX), FTL_OK);
    assert_int_equal(image.flavour, FTL_FLAVOUR_TRAP);
}

static void tables_for_verifier_and_reports_are_found(void **state)
{
    (void)state;
    make(FTL_ISOLATION_SANDBOX);
    elf.header.e_shnum = 5;
    *section(3) = (Elf64_Shdr){ .sh_type = FTL_CLAIMS_TYPE, .sh_offset = 0x3700, .sh_size = 16 };
    *section(4) = (Elf64_Shdr){ .sh_type = ELF_LINES_TYPE, .sh_offset = 0x3720, .sh_size = 50 };
    assert_int_equal(parse(FTL_ISOLATION_SANDBOX), FTL_OK);
    assert_int_equal(image.claims_offset, 0x3700);
    assert_int_equal(image.claims_size, 16);
    assert_int_equal(image.lines_offset, 0x3720);
    assert_int_equal(image.lines_size, 50);
    section(4)->sh_offset = FILE_SIZE - 49;
    assert_int_equal(parse(FTL_ISOLATION_SANDBOX), FTL_ERR_BAD_FORMAT);
    assert_string_equal(why, "the table of source lines is outside the file");
    section(4)->sh_size = 0;
    section(3)->sh_size = UINT64_MAX;
    assert_int_equal(parse(FTL_ISOLATION_SANDBOX), FTL_ERR_BAD_FORMAT);
    assert_string_equal(why, "the claims for the verifier are outside the file");
}

static void no_byte_is_read_twice(void **state)
{
    (void)state;
    make(FTL_ISOLATION_SANDBOX);
    assert_int_equal(parse(FTL_ISOLATION_SANDBOX), FTL_OK);
    assert_false(read_twice);
}

static void file_without_sections_has_no_symbols(void **state)
{
    (void)state;
    char name[16];
    uint64_t offset;
    make(FTL_ISOLATION_USER);
    elf.header.e_shnum = 0;
    elf.header.e_shoff = UINT64_MAX;
    assert_int_equal(parse(FTL_ISOLATION_USER), FTL_OK);
    assert_int_equal(image.symbol_count, 0);
    assert_false(find_symbol(0x1100, name, sizeof(name), &offset));
}

static void note_is_found_among_others(void **state)
{
    (void)state;
    make(FTL_ISOLATION_USER);
    struct note ours = *note();
    *note() =
        (struct note){ .header = { .n_namesz = 4, .n_descsz = 16, .n_type = 3 }, .name = "GNU" };
    note()[1] = ours;
    elf.programs[1].p_filesz = 2 * sizeof(struct note);
    assert_int_equal(parse(FTL_ISOLATION_USER), FTL_OK);
}

static void failing_reader_is_reported_as_such(void **state)
{
    (void)state;
    static const uint64_t places[] = { 0, sizeof(Elf64_Ehdr), NOTE_OFFSET, SECTION_OFFSET };
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        make(FTL_ISOLATION_USER);
        fail_at = places[i];
        assert_int_equal(parse(FTL_ISOLATION_USER), FTL_ERR_BAD_ADDRESS);
        assert_non_null(strstr(why, "could not be read"));
    }
}

/* --- Malformed files --- */

/* A field of the file, what to set it to, and what must be said. */
struct malformation {
    ftl_isolation_t isolation;
    size_t offset;
    size_t size;
    uint64_t value;
    const char *text;
};

#define USER    FTL_ISOLATION_USER
#define SANDBOX FTL_ISOLATION_SANDBOX

#define HEADER(field)     offsetof(union elf_file, header.field), sizeof(elf.header.field)
#define PROGRAM(i, field) offsetof(union elf_file, programs[i].field), sizeof(elf.programs[i].field)
#define LOAD(i, field)    PROGRAM(LOADS + (i), field)
#define NOTE(field)       NOTE_OFFSET + offsetof(struct note, field), sizeof(uint32_t)
#define SECTION(i, field)                                                                          \
    SECTION_OFFSET + (i) * sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, field),                       \
        sizeof(((Elf64_Shdr *)0)->field)

static const struct malformation malformations[] = {
    { USER, HEADER(e_ident[0]), 0, "not an ELF file: bad magic number" },
    { USER, HEADER(e_ident[EI_CLASS]), ELFCLASS32, "ELF class 1 is not 64-bit" },
    { USER, HEADER(e_ident[EI_DATA]), ELFDATA2MSB, "ELF data encoding 2 is not little-endian" },
    { USER, HEADER(e_ident[EI_VERSION]), 0, "ELF version 0 is not 1" },
    { USER, HEADER(e_type), ET_EXEC, "ELF type 2 is not a position-independent executable" },
    { USER, HEADER(e_machine), EM_X86_64, "ELF machine 62 is not RISC-V" },
    { USER, HEADER(e_flags), 8, "the code is for RV64E, which has another calling convention" },
    { SANDBOX, HEADER(e_flags), EF_RISCV_RVC,
      "sandboxed code must not have compressed instructions" },
    { USER, HEADER(e_phentsize), 55, "program headers of 55 bytes, not 56" },
    { USER, HEADER(e_phnum), 65, "65 program headers, more than 64" },
    { USER, HEADER(e_phnum), 0, "there is no segment to load" },
    { USER, HEADER(e_phoff), FILE_SIZE - 100, "the program headers are outside the file" },
    { USER, HEADER(e_phoff), UINT64_MAX, "the program headers are outside the file" },
    { USER, HEADER(e_entry), 0x1800, "the entry point 0x1800 is not in an executable segment" },
    { USER, HEADER(e_entry), 0x2000, "the entry point 0x2000 is not in an executable segment" },
    { USER, HEADER(e_entry), UINT64_MAX,
      "the entry point 0xffffffffffffffff is not in an executable segment" },
    { USER, PROGRAM(0, p_type), PT_INTERP, "needs a program interpreter: not linked statically" },
    { USER, LOAD(1, p_memsz), 0, "segment 1 is empty" },
    { USER, LOAD(1, p_memsz), 0x7ff, "segment 1 has more bytes in the file than in memory" },
    { USER, LOAD(1, p_offset), FILE_SIZE - 0x700, "segment 1 is outside the file" },
    { USER, LOAD(1, p_offset), UINT64_MAX - 0xfff, "segment 1 is outside the file" },
    { USER, LOAD(2, p_memsz), MAX_SPAN - 0x37ff,
      "segment 2 ends beyond the 1073741824 bytes an image may span" },
    { USER, LOAD(2, p_memsz), UINT64_MAX,
      "segment 2 ends beyond the 1073741824 bytes an image may span" },
    { USER, LOAD(2, p_vaddr), UINT64_MAX - 0x7ff,
      "segment 2 ends beyond the 1073741824 bytes an image may span" },
    { USER, LOAD(1, p_vaddr), 0x2004, "segment 1: file offset and address differ within a page" },
    { USER, LOAD(0, p_flags), PF_R | PF_W | PF_X, "segment 0 is writable and executable" },
    { USER, LOAD(1, p_flags), PF_W, "segment 1 is not readable" },
    { USER, LOAD(2, p_vaddr), 0x1800, "segment 2 is not in ascending order" },
    { USER, LOAD(0, p_memsz), 0x2001, "segments 0 and 1 overlap" },
    { USER, LOAD(2, p_vaddr), 0x2800, "segments 1 and 2 share a page" },
    { SANDBOX, LOAD(0, p_flags), PF_R, "the entry point 0x1100 is not in an executable segment" },
    { SANDBOX, LOAD(0, p_filesz), 0x1000,
      "the entry point 0x1100 is not in an executable segment" },
    { SANDBOX, HEADER(e_entry), 0xffc, "the entry point is in the gate's page" },
    { USER, PROGRAM(1, p_type), PT_NULL, "there is no FTL note: not built by ftl-cc" },
    { USER, PROGRAM(3, p_type), PT_NOTE, NULL /* an empty one is fine */ },
    { USER, PROGRAM(1, p_filesz), 257, "notes of 257 bytes, more than 256" },
    { USER, PROGRAM(1, p_offset), FILE_SIZE - 8, "the notes are outside the file" },
    { USER, PROGRAM(1, p_filesz), 28, "a note is cut off" },
    { USER, NOTE(header.n_namesz), UINT32_MAX, "a note is cut off" },
    { USER, NOTE(header.n_descsz), UINT32_MAX, "a note is cut off" },
    { USER, NOTE(header.n_type), 2, "there is no FTL note: not built by ftl-cc" },
    { USER, NOTE(name), 0x004c5447, "there is no FTL note: not built by ftl-cc" },
    { USER, NOTE(words[0]), 2, "built for FTL ABI 2, this kernel has 1" },
    { USER, NOTE(words[1]), SANDBOX, "not built for user isolation" },
    { SANDBOX, NOTE(words[1]), USER, "not built for sandbox isolation" },
    { USER, NOTE(words[2]), FTL_FLAVOUR_TRAP,
      "the FTL note's flavour 1 does not go with its isolation" },
    { SANDBOX, NOTE(words[2]), FTL_FLAVOUR_NONE,
      "the FTL note's flavour 0 does not go with its isolation" },
    { SANDBOX, NOTE(words[2]), FTL_FLAVOUR_MASK, NULL },
    { USER, NOTE(words[3]), 4, "needs unknown ISA extensions 0x4" },
    { USER, HEADER(e_shentsize), 40, "section headers of 40 bytes, not 64" },
    { USER, HEADER(e_shnum), 1025, "1025 sections, more than 1024" },
    { USER, HEADER(e_shoff), FILE_SIZE - 191, "the section headers are outside the file" },
    { USER, SECTION(1, sh_offset), FILE_SIZE, "the symbol table is malformed or outside the file" },
    { USER, SECTION(1, sh_size), UINT64_MAX, "the symbol table is malformed or outside the file" },
    { USER, SECTION(1, sh_entsize), 0, "the symbol table is malformed or outside the file" },
    { USER, SECTION(1, sh_link), 3, "the symbol table has no string table" },
    { USER, SECTION(2, sh_type), SHT_PROGBITS,
      "the symbols' string table is malformed or outside the file" },
    { USER, SECTION(2, sh_size), FILE_SIZE,
      "the symbols' string table is malformed or outside the file" },
};

static void every_malformation_gets_its_own_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(malformations); i++) {
        const struct malformation *bad = &malformations[i];
        make(bad->isolation);
        memcpy(elf.bytes + bad->offset, &bad->value, bad->size);
        ftl_status_t status = parse(bad->isolation);
        if (bad->text == NULL) {
            assert_int_equal(status, FTL_OK);
            continue;
        }
        assert_int_equal(status, FTL_ERR_BAD_FORMAT);
        assert_string_equal(why, bad->text);
    }
}

static void malformations_of_several_fields_are_refused(void **state)
{
    (void)state;
    make(FTL_ISOLATION_SANDBOX);
    elf.programs[LOADS].p_filesz = 0x1000;
    elf.programs[LOADS + 1].p_flags = PF_R | PF_X;
    elf.header.e_entry = 0x2000;
    assert_int_equal(parse(FTL_ISOLATION_SANDBOX), FTL_ERR_BAD_FORMAT);
    assert_string_equal(why, "the first segment has no code behind the gate's page");

    make(FTL_ISOLATION_SANDBOX);
    elf.programs[LOADS].p_vaddr = 0x1000;
    elf.programs[LOADS].p_memsz = 0x800;
    elf.programs[LOADS].p_filesz = 0x800;
    assert_int_equal(parse(FTL_ISOLATION_SANDBOX), FTL_ERR_BAD_FORMAT);
    assert_string_equal(why,
                        "a sandboxed image must start with an executable segment at address 0");

    make(FTL_ISOLATION_USER);
    note()[1] = *note();
    elf.programs[1].p_filesz = 2 * sizeof(struct note);
    assert_int_equal(parse(FTL_ISOLATION_USER), FTL_ERR_BAD_FORMAT);
    assert_string_equal(why, "there are two FTL notes");

    make(FTL_ISOLATION_USER);
    elf.header.e_phnum = LOADS + ELF_MAX_SEGMENTS + 1;
    /* These many headers reach over the note: move it. */
    memcpy(elf.bytes + 0x700, note(), sizeof(struct note));
    elf.programs[1].p_offset = 0x700;
    for (size_t i = 0; i <= ELF_MAX_SEGMENTS; i++) {
        elf.programs[LOADS + i] = load(PF_R | PF_X, 0, 0x1000 * i, 0x1000, 0x1000);
    }
    assert_int_equal(parse(FTL_ISOLATION_USER), FTL_ERR_BAD_FORMAT);
    assert_string_equal(why, "more than 16 segments to load");
}

static void file_of_the_other_isolation_is_refused(void **state)
{
    (void)state;
    make(FTL_ISOLATION_SANDBOX);
    assert_int_equal(parse(FTL_ISOLATION_USER), FTL_ERR_BAD_FORMAT);
    assert_string_equal(why, "not built for user isolation");
}

static void reason_is_cut_to_the_buffer(void **state)
{
    (void)state;
    uint64_t size = FILE_SIZE;
    struct elf_reader reader = { .read = read_elf, .context = &size, .size = size };
    char *small = malloc(8);
    make(FTL_ISOLATION_USER);
    elf.header.e_ident[0] = 0;
    assert_int_equal(elf_parse(&reader, FTL_ISOLATION_USER, MAX_SPAN, &image, small, 8),
                     FTL_ERR_BAD_FORMAT);
    assert_string_equal(small, "not an ");
    free(small);
}

/* --- Truncation and damage --- */

/* What elf_image promises, whatever the file. */
static void check_image(uint64_t file_size)
{
    uint64_t end = 0;
    assert_in_range(image.segment_count, 1, ELF_MAX_SEGMENTS);
    for (size_t i = 0; i < image.segment_count; i++) {
        const struct elf_segment *segment = &image.segments[i];
        assert_true(segment->memory_size > 0 && segment->file_size <= segment->memory_size);
        assert_true(segment->offset <= file_size &&
                    segment->file_size <= file_size - segment->offset);
        assert_int_equal(segment->offset % PAGE_SIZE, segment->vaddr % PAGE_SIZE);
        assert_true(ALIGN_DOWN(segment->vaddr, PAGE_SIZE) >= end);
        assert_true((segment->perms & (FTL_MAP_WRITE | FTL_MAP_EXEC)) !=
                    (FTL_MAP_WRITE | FTL_MAP_EXEC));
        end = ALIGN_UP(segment->vaddr + segment->memory_size, PAGE_SIZE);
        assert_true(end > segment->vaddr && end <= MAX_SPAN);
    }
    assert_int_equal(image.span, end);
    assert_true(image.symbol_count == 0 ||
                image.symtab_offset + 24 * image.symbol_count <= file_size);
    assert_true(image.strtab_size == 0 || image.strtab_offset + image.strtab_size <= file_size);
}

static bool parse_any(ftl_isolation_t isolation, uint64_t size)
{
    ftl_status_t status = parse_sized(isolation, size);
    if (status == FTL_OK) {
        check_image(size);
        return true;
    }
    assert_int_equal(status, FTL_ERR_BAD_FORMAT);
    assert_in_range(strnlen(why, sizeof(why)), 1, sizeof(why) - 1);
    return false;
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    make(FTL_ISOLATION_SANDBOX);
    uint64_t end = SECTION_OFFSET + 3 * sizeof(Elf64_Shdr);
    assert_true(parse_any(FTL_ISOLATION_SANDBOX, end));
    for (uint64_t size = 0; size < end; size++) {
        assert_false(parse_any(FTL_ISOLATION_SANDBOX, size));
    }
}

/* Where headers, note, sections or symbols are. */
static size_t random_place(struct host_random *random)
{
    static const struct {
        size_t start;
        size_t size;
    } places[] = {
        { 0, sizeof(Elf64_Ehdr) },
        { sizeof(Elf64_Ehdr), 7 * sizeof(Elf64_Phdr) },
        { NOTE_OFFSET, sizeof(struct note) },
        { SECTION_OFFSET, 3 * sizeof(Elf64_Shdr) },
        { SYMTAB_OFFSET, 9 * sizeof(Elf64_Sym) },
    };
    size_t i = host_random_below(random, ARRAY_SIZE(places));
    return places[i].start + host_random_below(random, places[i].size);
}

static void damage(struct host_random *random)
{
    static const uint64_t words[] = { 0,         1,          0xfff,      0x1000,
                                      FILE_SIZE, UINT64_MAX, UINT32_MAX, (uint64_t)1 << 63 };
    size_t at = random_place(random);
    uint64_t word = words[host_random_below(random, ARRAY_SIZE(words))];
    switch (host_random_below(random, 4)) {
    case 0: elf.bytes[at] ^= (unsigned char)(1u << host_random_below(random, 8)); break;
    case 1: elf.bytes[at] = (unsigned char)host_random(random); break;
    case 2: memcpy(elf.bytes + at / 8 * 8, &word, 8); break;
    default: memcpy(elf.bytes + at / 4 * 4, &word, 4); break;
    }
}

static void damaged_files_are_refused_or_described_soundly(void **state)
{
    (void)state;
    struct host_random random = { .state = 0x656c66 };
    size_t accepted = 0;
    for (int n = 0; n < MUTATIONS; n++) {
        ftl_isolation_t isolation = n % 2 == 0 ? FTL_ISOLATION_USER : FTL_ISOLATION_SANDBOX;
        make(isolation);
        for (size_t i = host_random_below(&random, 4); i < 4; i++) {
            damage(&random);
        }
        if (parse_any(isolation, FILE_SIZE)) {
            char name[8];
            uint64_t offset;
            uint64_t vaddr = host_random_below(&random, 0x2000);
            accepted++;
            if (find_symbol(vaddr, name, sizeof(name), &offset)) {
                assert_true(offset <= vaddr);
                assert_in_range(strnlen(name, sizeof(name)), 1, sizeof(name) - 1);
            }
        }
    }
    assert_in_range(accepted, MUTATIONS / 20, MUTATIONS * 19 / 20);
}

/* --- Symbols --- */

static void check_symbol(uint64_t vaddr, const char *expected, uint64_t distance)
{
    char name[32];
    uint64_t offset = UINT64_MAX;
    assert_true(find_symbol(vaddr, name, sizeof(name), &offset));
    assert_string_equal(name, expected);
    assert_int_equal(offset, distance);
}

static void address_gets_the_function_that_holds_it_else_the_nearest_before(void **state)
{
    (void)state;
    make(FTL_ISOLATION_USER);
    assert_int_equal(parse(FTL_ISOLATION_USER), FTL_OK);
    check_symbol(0x1100, "main", 0);
    check_symbol(0x113f, "main", 0x3f);  /* though `label` is nearer */
    check_symbol(0x1140, "label", 0x20); /* main has ended */
    check_symbol(0x1184, "asm_function", 4);
    check_symbol(0x1198, "asm_function", 0x18); /* not the data in between */
    check_symbol(0x1204, "b?d", 4);             /* unprintable bytes do not reach the console */
}

static void address_without_a_symbol_before_it_in_its_segment_has_none(void **state)
{
    (void)state;
    char name[32];
    uint64_t offset;
    make(FTL_ISOLATION_USER);
    assert_int_equal(parse(FTL_ISOLATION_USER), FTL_OK);
    assert_false(find_symbol(0x10fc, name, sizeof(name), &offset)); /* only a mapping symbol */
    assert_false(find_symbol(0x2020, name, sizeof(name), &offset)); /* not executable */
    assert_false(find_symbol(0x1800, name, sizeof(name), &offset)); /* behind the segment */
    assert_false(find_symbol(UINT64_MAX, name, sizeof(name), &offset));
}

static void name_is_cut_to_the_buffer(void **state)
{
    (void)state;
    uint64_t offset;
    char *name = malloc(4);
    make(FTL_ISOLATION_USER);
    assert_int_equal(parse(FTL_ISOLATION_USER), FTL_OK);
    assert_true(find_symbol(0x1184, name, 4, &offset));
    assert_string_equal(name, "asm");
    assert_false(find_symbol(0x1184, name, 1, &offset));
    free(name);
}

static void symbol_whose_name_is_outside_the_string_table_is_passed_over(void **state)
{
    (void)state;
    make(FTL_ISOLATION_USER);
    symbol(4)->st_name = 0x200;
    assert_int_equal(parse(FTL_ISOLATION_USER), FTL_OK);
    check_symbol(0x1184, "label", 0x64);
}

static void failing_reader_gives_no_symbol(void **state)
{
    (void)state;
    char name[32];
    uint64_t offset;
    make(FTL_ISOLATION_USER);
    assert_int_equal(parse(FTL_ISOLATION_USER), FTL_OK);
    fail_at = SYMTAB_OFFSET;
    assert_false(find_symbol(0x1100, name, sizeof(name), &offset));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_file_is_described_whole),
        cmocka_unit_test(tables_for_verifier_and_reports_are_found),
        cmocka_unit_test(no_byte_is_read_twice),
        cmocka_unit_test(file_without_sections_has_no_symbols),
        cmocka_unit_test(note_is_found_among_others),
        cmocka_unit_test(failing_reader_is_reported_as_such),
        cmocka_unit_test(every_malformation_gets_its_own_text),
        cmocka_unit_test(malformations_of_several_fields_are_refused),
        cmocka_unit_test(file_of_the_other_isolation_is_refused),
        cmocka_unit_test(reason_is_cut_to_the_buffer),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(damaged_files_are_refused_or_described_soundly),
        cmocka_unit_test(address_gets_the_function_that_holds_it_else_the_nearest_before),
        cmocka_unit_test(address_without_a_symbol_before_it_in_its_segment_has_none),
        cmocka_unit_test(name_is_cut_to_the_buffer),
        cmocka_unit_test(symbol_whose_name_is_outside_the_string_table_is_passed_over),
        cmocka_unit_test(failing_reader_gives_no_symbol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
