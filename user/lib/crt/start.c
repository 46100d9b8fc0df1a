/*
 * Where a process starts: the kernel enters _start with the address and size of the environment
 * blob. It relocates the image, reads the environment, and hands over to musl as a Linux kernel
 * would: argument and environment strings followed by the auxiliary vector. Symbols of the image:
 * see link.ld.in; those that are sizes count from __image_start too, as all of an image that can
 * lie anywhere.
 */
#include <elf.h>
#include <ftl/environ.h>
#include <ftl/process.h>

#define STRINGS_MAX       1024 /* arguments and variables together */
#define AUXILIARY_ENTRIES 5
#define EXIT_NOT_STARTED  126

/* Bounds of the parts of the image. Hidden, so that reaching them needs no relocation. */
#pragma GCC visibility push(hidden)
extern char __image_start[];
extern const Elf64_Rela __rela_start[], __rela_end[];
extern const char __tls_image_start[], __tls_image_end[], __tls_size[], __tls_align[];
#pragma GCC visibility pop

int main(int argc, char **argv, char **envp);
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*)(void),
                      void (*)(void), void (*)(void));

_Noreturn void _start(void *blob, size_t size);

static struct ftl_environ environment;

struct ftl_environ *ftl_environ(void)
{
    return &environment;
}

/* What musl reads: argc itself is passed apart. */
struct start_vector {
    const char *strings[STRINGS_MAX + 2]; /* argv, NULL, envp, NULL, */
    Elf64_auxv_t auxiliary[AUXILIARY_ENTRIES];
};

/* Adds the strings and a NULL; returns the next free place. */
static const char **add_strings(const char **at, const char *string, size_t count)
{
    for (; count != 0; count--) {
        *at++ = string;
        string += __builtin_strlen(string) + 1;
    }
    *at++ = NULL;
    return at;
}

/*
 * The program headers musl looks for its TLS image in. We make them of the linker script's symbols,
 * since the image's own are not loaded. The first makes musl take the second's address as it is.
 */
static void describe_tls(Elf64_Phdr headers[2])
{
    headers[0] = (Elf64_Phdr){ .p_type = PT_PHDR, .p_vaddr = (Elf64_Addr)headers };
    headers[1] = (Elf64_Phdr){
        .p_type = PT_TLS,
        .p_vaddr = (Elf64_Addr)__tls_image_start,
        .p_filesz = (Elf64_Xword)(__tls_image_end - __tls_image_start),
        .p_memsz = (Elf64_Xword)(__tls_size - __image_start),
        .p_align = (Elf64_Xword)(__tls_align - __image_start),
    };
}

static _Noreturn void start_libc(void)
{
    static Elf64_Phdr headers[2];
    struct start_vector vector;

    if (environment.arg_count > STRINGS_MAX ||
        environment.var_count > STRINGS_MAX - environment.arg_count) {
        ftl_process_exit(EXIT_NOT_STARTED);
    }
    describe_tls(headers);
    const char **at = add_strings(vector.strings, environment.args, environment.arg_count);
    at = add_strings(at, environment.vars, environment.var_count);

    /* The auxiliary vector follows at once, wherever that is. */
    const Elf64_auxv_t auxiliary[AUXILIARY_ENTRIES] = {
        { AT_PHDR, { (uint64_t)headers } },
        { AT_PHENT, { sizeof(headers[0]) } },
        { AT_PHNUM, { 2 } },
        { AT_PAGESZ, { FTL_PAGE_SIZE } },
        { AT_NULL, { 0 } },
    };
    __builtin_memcpy(at, auxiliary, sizeof(auxiliary));
    __libc_start_main(main, (int)environment.arg_count, (char **)vector.strings, NULL, NULL, NULL);
    __builtin_unreachable();
}

/* All relocations of a static PIE are the image's base plus a constant. */
static void relocate(void)
{
    for (const Elf64_Rela *entry = __rela_start; entry != __rela_end; entry++) {
        *(Elf64_Addr *)(__image_start + entry->r_offset) =
            (Elf64_Addr)__image_start + (Elf64_Addr)entry->r_addend;
    }
}

_Noreturn void _start(void *blob, size_t size)
{
    relocate();
    __asm__ volatile("" ::: "memory"); /* nothing that needs relocation before this */
    if (ftl_environ_open(&environment, blob, size) != FTL_OK) {
        ftl_process_exit(EXIT_NOT_STARTED);
    }
    start_libc();
}
