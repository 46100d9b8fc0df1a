/*
 * Fuzz target: what the loader reads of a file, for both isolation modes: headers, notes, sections;
 * symbols and source lines of a few addresses; and, if it is a sandboxed image, the verifier on its
 * code and claims as kernel/loader.c calls it. Reads must lie in the file; the rest is ASan's and
 * UBSan's to find.
 */
#include <stdlib.h>
#include <string.h>

#include <ftl/sandbox_abi.h>

#include "kernel/elf.h"
#include "kernel/elf_lines.h"
#include "kernel/sandbox/verify.h"

#define SPAN_MAX (64 * MIB)

/* libFuzzer's name. NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size;
};

static bool read_input(void *context, uint64_t offset, void *buffer, size_t size)
{
    const struct input *input = context;

    if (offset > input->size || size > input->size - offset) {
        abort();
    }
    memcpy(buffer, input->data + offset, size);
    return true;
}

/* The first segment without the gate's page, padded with zeros to whole pages. */
static void verify(const struct elf_image *image, const struct input *input)
{
    const struct elf_segment *segment = &image->segments[0];
    size_t size = ALIGN_UP(segment->memory_size - FTL_GATE_SIZE, PAGE_SIZE);
    uint8_t *code = size > MIB ? NULL : calloc(1, size);
    uint8_t *targets = malloc(SANDBOX_TARGETS_SIZE(size));
    uint8_t *claims = malloc(image->claims_size + 1);
    struct sandbox_verify_error error;

    if (code != NULL) {
        memcpy(code, input->data + segment->offset + FTL_GATE_SIZE,
               segment->file_size - FTL_GATE_SIZE);
        memcpy(claims, input->data + image->claims_offset, image->claims_size);
        (void)sandbox_verify(&(struct sandbox_verify_input){ .code = code,
                                                             .size = size,
                                                             .address = FTL_GATE_SIZE,
                                                             .image_size = image->span,
                                                             .entry = image->entry,
                                                             .claims = claims,
                                                             .claims_size = image->claims_size,
                                                             .targets = targets },
                             &error);
    }
    free(claims);
    free(targets);
    free(code);
}

static void look_up(const struct elf_reader *reader, const struct elf_image *image)
{
    const uint64_t places[] = { 0, image->entry, image->entry + 100, image->span - 1, UINT64_MAX };
    char name[24];
    uint64_t offset;
    uint32_t line;

    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        if (elf_symbol(reader, image, places[i], name, sizeof(name), &offset) &&
            strnlen(name, sizeof(name)) == sizeof(name)) {
            abort();
        }
        if (elf_line(reader, image, places[i], name, sizeof(name), &line) &&
            (line == 0 || strnlen(name, sizeof(name)) == sizeof(name))) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size };
    struct elf_reader reader = { .read = read_input, .context = &input, .size = size };

    for (unsigned isolation = 0; isolation < 2; isolation++) {
        struct elf_image image;
        char why[ELF_WHY_SIZE];

        if (elf_parse(&reader, (ftl_isolation_t)isolation, SPAN_MAX, &image, why, sizeof(why)) !=
            FTL_OK) {
            continue;
        }
        look_up(&reader, &image);
        if (isolation == FTL_ISOLATION_SANDBOX) {
            verify(&image, &input);
        }
    }
    return 0;
}
