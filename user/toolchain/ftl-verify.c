/*
 * ftl-verify: says whether the kernel would accept an ELF file as sandboxed code, with the kernel's
 * own verifier. Silent if it would; else one line: file, address, symbol, instruction, rule,
 * reason.
 */
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ftl/sandbox_abi.h>

#include "kernel/sandbox/verify.h"
#include "user/toolchain/names.h"

#define TIMED_RUNS 200

struct image {
    const char *path;
    const uint8_t *data;
    size_t size;
    Elf64_Ehdr header;
};

static bool complain(const struct image *image, const char *message)
{
    fprintf(stderr, "ftl-verify: %s: %s\n", image->path, message);
    return false;
}

/* Copies size bytes at offset out of the file. */
static bool take(const struct image *image, uint64_t offset, void *to, size_t size)
{
    if (offset > image->size || size > image->size - offset) {
        return false;
    }
    memcpy(to, image->data + offset, size);
    return true;
}

static bool take_header(struct image *image)
{
    const Elf64_Ehdr *header = &image->header;

    if (!take(image, 0, &image->header, sizeof(image->header)) ||
        memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
        header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_machine != EM_RISCV ||
        header->e_phentsize != sizeof(Elf64_Phdr)) {
        return complain(image, "not a 64-bit RISC-V ELF file");
    }
    return true;
}

static bool take_segment(const struct image *image, unsigned int index, Elf64_Phdr *segment)
{
    return take(image, image->header.e_phoff + index * sizeof(*segment), segment, sizeof(*segment));
}

/* Fills in what the program headers say: the one executable segment, and the image's extent. */
static bool take_segments(const struct image *image, struct sandbox_verify_input *input)
{
    bool found = false;

    for (unsigned int i = 0; i < image->header.e_phnum; i++) {
        Elf64_Phdr segment;

        if (!take_segment(image, i, &segment)) {
            return complain(image, "program headers outside of the file");
        }
        if (segment.p_type != PT_LOAD) {
            continue;
        }
        if (segment.p_memsz > UINT32_MAX || segment.p_vaddr > UINT32_MAX - segment.p_memsz) {
            return complain(image, "segment larger than a window");
        }
        if (segment.p_vaddr + segment.p_memsz > input->image_size) {
            input->image_size = segment.p_vaddr + segment.p_memsz;
        }
        if ((segment.p_flags & PF_X) == 0) {
            continue;
        }
        if (found || segment.p_vaddr != FTL_GATE_OFFSET || segment.p_filesz != segment.p_memsz ||
            segment.p_filesz < FTL_GATE_SIZE || segment.p_offset > image->size ||
            segment.p_filesz > image->size - segment.p_offset || (segment.p_flags & PF_W) != 0) {
            return complain(image, "needs exactly one executable segment, not writable, at address "
                                   "0, with room for the gate page");
        }
        found = true;
        input->code = image->data + segment.p_offset + FTL_GATE_SIZE;
        input->size = segment.p_filesz - FTL_GATE_SIZE;
        input->address = FTL_GATE_OFFSET + FTL_GATE_SIZE;
    }
    return found || complain(image, "no executable segment");
}

/* Finds the table of claims. A file without section headers, or without one, has none. */
static bool take_claims(const struct image *image, struct sandbox_verify_input *input)
{
    for (unsigned int i = 0; i < image->header.e_shnum; i++) {
        Elf64_Shdr section;

        if (!take(image, image->header.e_shoff + i * sizeof(section), &section, sizeof(section))) {
            return complain(image, "section headers outside of the file");
        }
        if (section.sh_type != FTL_CLAIMS_TYPE) {
            continue;
        }
        if (section.sh_offset > image->size || section.sh_size > image->size - section.sh_offset) {
            return complain(image, "claims outside of the file");
        }
        input->claims = image->data + section.sh_offset;
        input->claims_size = section.sh_size;
    }
    return true;
}

/* Prints "<symbol+0x12>" for the function that holds address, if the symbol table knows it. */
static void print_symbol(const struct image *image, uint64_t address)
{
    Elf64_Shdr table, strings;
    Elf64_Sym symbol;

    for (unsigned int i = 0; i < image->header.e_shnum; i++) {
        if (!take(image, image->header.e_shoff + i * sizeof(table), &table, sizeof(table)) ||
            table.sh_type != SHT_SYMTAB ||
            !take(image, image->header.e_shoff + table.sh_link * sizeof(strings), &strings,
                  sizeof(strings))) {
            continue;
        }
        for (uint64_t at = 0; at + sizeof(symbol) <= table.sh_size; at += sizeof(symbol)) {
            char name[128];
            size_t length = sizeof(name) - 1;
            uint64_t offset;

            if (!take(image, table.sh_offset + at, &symbol, sizeof(symbol)) ||
                ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || address < symbol.st_value ||
                address - symbol.st_value >= symbol.st_size) {
                continue;
            }
            offset = strings.sh_offset + symbol.st_name;
            while (length > 0 && !take(image, offset, name, length)) {
                length--;
            }
            name[length] = '\0';
            fprintf(stderr, " <%s+0x%llx>", name, (unsigned long long)(address - symbol.st_value));
            return;
        }
    }
}

static void print_refusal(const struct image *image, const struct sandbox_verify_error *error)
{
    fprintf(stderr, "ftl-verify: %s: 0x%llx", image->path, (unsigned long long)error->address);
    print_symbol(image, error->address);
    fprintf(stderr, ": %08x %s: %s: %s\n", error->word, error->text, error->rule, error->reason);
}

static double processor_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The best of many: the others were disturbed, or the first to touch the memory. */
static void print_time(const struct sandbox_verify_input *input)
{
    struct sandbox_verify_error error;
    double best = 0;

    for (unsigned int i = 0; i < TIMED_RUNS; i++) {
        double start = processor_time();
        double took;

        (void)sandbox_verify(input, &error);
        took = processor_time() - start;
        best = i == 0 || took < best ? took : best;
    }
    printf("%zu bytes of code in %.6f s: %.1f MB/s\n", input->size, best,
           (double)input->size / best / 1e6);
}

static bool verify(struct image *image, bool timed)
{
    struct sandbox_verify_input input = { .code = NULL };
    struct sandbox_verify_error error;
    bool good;

    if (!take_header(image) || !take_segments(image, &input) || !take_claims(image, &input)) {
        return false;
    }
    input.entry = image->header.e_entry;
    input.targets = xrealloc(NULL, SANDBOX_TARGETS_SIZE(input.size));
    good = sandbox_verify(&input, &error);
    if (timed) {
        print_time(&input);
    }
    if (!good) {
        print_refusal(image, &error);
    }
    free(input.targets);
    return good;
}

int main(int argc, char **argv)
{
    bool timed = argc > 1 && strcmp(argv[1], "--time") == 0;
    struct image image = { .path = NULL };
    char *data;
    bool good;

    if (argc != (timed ? 3 : 2)) {
        fprintf(stderr, "usage: ftl-verify [--time] FILE\n");
        return 2;
    }
    image.path = argv[argc - 1];
    data = read_file(image.path, &image.size);
    if (data == NULL) {
        fprintf(stderr, "ftl-verify: %s: %s\n", image.path, strerror(errno));
        return EXIT_FAILURE;
    }
    image.data = (const uint8_t *)data;
    good = verify(&image, timed);
    free(data);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
