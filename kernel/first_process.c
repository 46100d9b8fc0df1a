/*
 * init: found in the boot image, isolated as the boot arguments or its manifest say, started with
 * handles to the console, the system, the boot image and the device tree. The only process the
 * kernel makes by itself.
 */
#include "kernel/first_process.h"

#include <ftl/environ_format.h>

#include "arch/mmu.h"

#include "kernel/assert.h"
#include "kernel/bootimage.h"
#include "kernel/console.h"
#include "kernel/loader.h"
#include "kernel/log.h"
#include "kernel/process.h"
#include "kernel/string.h"
#include "kernel/system.h"
#include "mm/slab.h"

#define INIT_MEMORY_DEFAULT (16 * MIB)

/* An environment under construction: arguments, then handles. */
struct environ_builder {
    char *blob;
    size_t used;
    struct ftl_environ_header *header;
};

static void append(struct environ_builder *builder, const void *data, size_t size)
{
    if (size > FTL_ENVIRON_MAX - builder->used) {
        panic("boot: the boot arguments do not fit into init's environment");
    }
    memcpy(builder->blob + builder->used, data, size);
    builder->used += size;
}

static void add_argument(struct environ_builder *builder, const char *argument)
{
    append(builder, argument, strlen(argument) + 1);
    builder->header->arg_count++;
}

static void add_boot_arguments(struct environ_builder *builder, const char *line)
{
    char word[BOOT_ARGS_SIZE];
    ftl_status_t status;
    while ((status = bootargs_next(&line, word, sizeof(word))) != FTL_ERR_NOT_FOUND) {
        if (status == FTL_OK) {
            add_argument(builder, word);
        } else {
            log_line("boot: boot argument '%s' ignored: quote not closed", word);
        }
    }
}

static void add_handle(struct environ_builder *builder, struct process *process, const char *name,
                       struct object *object, ftl_rights_t rights)
{
    struct ftl_environ_handle entry = { .handle = FTL_HANDLE_INVALID };
    memcpy(entry.name, name, strlen(name) + 1);
    ftl_status_t status = handle_insert(&process->handles, object, rights, &entry.handle);
    if (status != FTL_OK) {
        panic("boot: init's handle '%s': %s", name, ftl_strerror(status));
    }
    append(builder, &entry, sizeof(entry));
    builder->header->handle_count++;
}

/* A range of memory as a VMO: in place, or copied when it does not start at a page. */
static struct vmo *vmo_of(const struct boot_range *range, const char *what)
{
    size_t size = range->end - range->start;
    struct vmo *vmo = NULL;
    if (IS_ALIGNED(range->start, PAGE_SIZE)) {
        vmo = vmo_create_physical(range->start, size);
    } else {
        struct account *account = account_create(UINT64_MAX);
        vmo = account == NULL ? NULL : vmo_create(size, account);
        if (vmo != NULL && vmo_write(vmo, 0, phys_to_virt(range->start), size) != FTL_OK) {
            panic("boot: no memory to copy %s, %zu bytes", what, size);
        }
    }
    if (vmo == NULL) {
        panic("boot: no memory for the VMO of %s", what);
    }
    return vmo;
}

static void start_with_environment(struct process *process, vaddr_t entry, struct vmo *image_vmo,
                                   const struct boot_info *info)
{
    struct environ_builder builder = { .blob = kalloc(FTL_ENVIRON_MAX),
                                       .used = sizeof(struct ftl_environ_header) };
    if (builder.blob == NULL) {
        panic("boot: no memory for init's environment");
    }
    builder.header = (struct ftl_environ_header *)builder.blob;
    *builder.header =
        (struct ftl_environ_header){ .magic = FTL_ENVIRON_MAGIC, .version = FTL_ENVIRON_VERSION };
    builder.header->args_offset = (uint32_t)builder.used;
    add_argument(&builder, "init");
    add_boot_arguments(&builder, info->bootargs);
    builder.header->vars_offset = (uint32_t)builder.used;
    builder.used = ALIGN_UP(builder.used, _Alignof(struct ftl_environ_handle));
    builder.header->handles_offset = (uint32_t)builder.used;
    add_handle(&builder, process, "console", &console_get()->object, FTL_RIGHTS_ALL);
    add_handle(&builder, process, "system", &system_get()->object, FTL_RIGHTS_ALL);
    object_get(&image_vmo->object);
    add_handle(&builder, process, "bootimage", &image_vmo->object,
               FTL_RIGHTS_ALL & ~FTL_RIGHT_WRITE); /* programs are run from where they lie in it */
    add_handle(&builder, process, "devicetree", &vmo_of(&info->dtb, "the device tree")->object,
               FTL_RIGHT_READ | FTL_RIGHT_MAP);
    builder.header->size = (uint32_t)builder.used;
    ftl_status_t status = process_start(process, entry, builder.blob, builder.used);
    if (status != FTL_OK) {
        panic("boot: init could not be started: %s", ftl_strerror(status));
    }
    kfree(builder.blob, FTL_ENVIRON_MAX);
}

/* The value of one of init's settings: boot argument `ftl.KEY.init`, else the manifest's KEY.
 * False: neither. */
static bool setting(const struct boot_info *info, struct text manifest, const char *key,
                    char *value, size_t size)
{
    char name[64];
    format_text(name, sizeof(name), "ftl.%s.init", key);
    if (bootargs_get(info->bootargs, name, value, size)) {
        return true;
    }
    struct text text;
    return manifest_get(manifest, key, &text) && text_copy(text, value, size);
}

static ftl_isolation_t init_isolation(const struct boot_info *info, struct text manifest)
{
    char value[32];
    if (!setting(info, manifest, "isolation", value, sizeof(value)) ||
        strcmp(value, "sandbox") == 0) {
        return FTL_ISOLATION_SANDBOX;
    }
    if (strcmp(value, "user") != 0) {
        panic("boot: isolation of init is '%s': neither sandbox nor user", value);
    }
    return FTL_ISOLATION_USER;
}

static uint64_t init_memory(const struct boot_info *info, struct text manifest)
{
    char value[32];
    uint64_t bytes;
    if (!setting(info, manifest, "memory", value, sizeof(value))) {
        return INIT_MEMORY_DEFAULT;
    }
    if (!text_parse_size((struct text){ .data = value, .size = strlen(value) }, &bytes)) {
        panic("boot: memory of init is '%s': not a size", value);
    }
    return bytes;
}

static struct process *make_init(ftl_isolation_t isolation, uint64_t memory)
{
    struct account *account = account_create(memory);
    if (account == NULL) {
        panic("boot: no memory for init's account");
    }
    ftl_status_t status;
    struct vmspace *vmspace = vmspace_create(isolation, account, &status);
    account_put(account);
    if (vmspace == NULL) {
        panic("boot: init's vmspace: %s", ftl_strerror(status));
    }
    struct process *process = process_create(vmspace, "init", NULL, memory, &status);
    object_put(&vmspace->object);
    if (process == NULL) {
        panic("boot: init's process: %s", ftl_strerror(status));
    }
    process_set_priority_max(process, FTL_PRIORITY_MAX);
    return process;
}

static struct text manifest_of(const struct bootimage *image)
{
    struct bootimage_file file;
    if (bootimage_find(image, "bin/init.manifest", &file) != FTL_OK) {
        return (struct text){ .data = "", .size = 0 };
    }
    return (struct text){ .data = (const char *)image->data + file.offset, .size = file.size };
}

static void find_program(const struct bootimage *image, ftl_isolation_t isolation,
                         struct bootimage_file *file)
{
    ftl_status_t status = FTL_ERR_NOT_FOUND;
    const char *suffix = bootimage_program_suffix(isolation, loader_isa(), 0);
    for (size_t i = 0; suffix != NULL && status == FTL_ERR_NOT_FOUND; i++) {
        char name[32];
        format_text(name, sizeof(name), "bin/init%s", suffix);
        status = bootimage_find(image, name, file);
        suffix = bootimage_program_suffix(isolation, loader_isa(), i + 1);
    }
    if (status != FTL_OK) {
        panic("boot: no program of init in the boot image for isolation %s: %s",
              isolation == FTL_ISOLATION_USER ? "user" : "sandbox", ftl_strerror(status));
    }
}

void first_process_start(const struct boot_info *info)
{
    if (info->initrd.end == info->initrd.start) {
        panic("boot: no boot image: the device tree's /chosen names no initrd");
    }
    struct bootimage image = {
        .data = phys_to_virt(info->initrd.start),
        .size = info->initrd.end - info->initrd.start,
    };
    struct text manifest = manifest_of(&image);
    ftl_isolation_t isolation = init_isolation(info, manifest);
    struct bootimage_file file;
    find_program(&image, isolation, &file);
    struct vmo *vmo = vmo_of(&info->initrd, "the boot image");
    struct process *init = make_init(isolation, init_memory(info, manifest));
    vaddr_t entry;
    struct image_file image_file = { .vmo = vmo, .offset = file.offset, .size = file.size };
    ftl_status_t status = loader_load(init, &image_file, &entry);
    if (status != FTL_OK) {
        panic("boot: %s could not be loaded: %s", file.name, ftl_strerror(status));
    }
    start_with_environment(init, entry, vmo, info);
    object_put(&init->object);
    object_put(&vmo->object);
}
