/* ftl_spawn: see <ftl/spawn.h>. */
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/inherit.h>
#include <ftl/load.h>
#include <ftl/process.h>
#include <ftl/spawn.h>
#include <ftl/system.h>
#include <ftl/vmspace.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "kernel/bootimage.h"

/* A process in the making, and what it will find in its environment. */
struct making {
    ftl_handle_t process;
    uintptr_t entry;
    struct ftl_environ_handle granted[FTL_SPAWN_HANDLES_MAX];
    size_t granted_count;
};

static struct ftl_program *opened_before(const struct ftl_bootimage *image,
                                         const struct ftl_app *app, ftl_isolation_t isolation)
{
    for (size_t i = 0; i < FTL_BOOTIMAGE_PROGRAMS; i++) {
        const struct ftl_bootimage_program *slot = &image->programs[i];
        if (slot->program != NULL && slot->isolation == isolation &&
            strcmp(slot->name, app->program) == 0) {
            return slot->program;
        }
    }
    return NULL;
}

/* Keeps an opened program in the place of the one that has been there longest. */
static void keep_open(struct ftl_bootimage *image, const struct ftl_app *app,
                      ftl_isolation_t isolation, struct ftl_program *program)
{
    struct ftl_bootimage_program *slot = &image->programs[image->programs_next];
    image->programs_next = (image->programs_next + 1) % FTL_BOOTIMAGE_PROGRAMS;
    if (slot->program != NULL) {
        ftl_program_close(slot->program);
    }
    strcpy(slot->name, app->program);
    slot->isolation = isolation;
    slot->program = program;
}

/* Finds the best of the app's programs for these harts. */
static ftl_status_t find_program(const struct ftl_bootimage *image, const struct ftl_app *app,
                                 ftl_isolation_t isolation, struct ftl_program_file *file)
{
    struct bootimage archive = { image->data, image->size };
    struct bootimage_file found;
    char path[BOOTIMAGE_NAME_MAX];
    const char *suffix;
    uint32_t isa;

    ftl_status_t status = ftl_system_isa(&isa);
    if (status != FTL_OK) {
        return status;
    }
    status = FTL_ERR_NOT_FOUND;
    for (size_t i = 0; status == FTL_ERR_NOT_FOUND &&
                       (suffix = bootimage_program_suffix(isolation, isa, i)) != NULL;
         i++) {
        if (ftl_app_path(path, sizeof(path), app->program, suffix)) {
            status = bootimage_find(&archive, path, &found);
        }
    }
    if (status != FTL_OK) {
        return status;
    }
    *file = (struct ftl_program_file){
        .vmo = image->vmo,
        .offset = found.offset,
        .data = (const char *)image->data + found.offset,
        .size = found.size,
    };
    return FTL_OK;
}

static ftl_status_t open_file(const struct ftl_program_file *file, ftl_isolation_t isolation,
                              struct ftl_program **program, const char **step)
{
    static char failed[FTL_PROGRAM_WHY_MAX + sizeof("loading its program ()")];
    char why[FTL_PROGRAM_WHY_MAX] = "";
    *step = "loading its program";
    ftl_status_t status = ftl_program_open(program, file, isolation, why, sizeof(why));
    if (status != FTL_OK && why[0] != '\0') {
        snprintf(failed, sizeof(failed), "%s (%s)", *step, why);
        *step = failed;
    }
    return status;
}

/* Finds the app's program, opened. */
static ftl_status_t open_program(struct ftl_bootimage *image, const struct ftl_app *app,
                                 const struct ftl_spawn_options *options,
                                 struct ftl_program **program, const char **step)
{
    ftl_isolation_t isolation = options->isolation;
    struct ftl_program_file file;

    *step = "finding its program";
    if (isolation != FTL_ISOLATION_SANDBOX && isolation != FTL_ISOLATION_USER) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    if (options->file != NULL) {
        return open_file(options->file, isolation, program, step);
    }
    *program = opened_before(image, app, isolation);
    if (*program != NULL) {
        return FTL_OK;
    }
    ftl_status_t status = find_program(image, app, isolation, &file);
    if (status != FTL_OK) {
        return status;
    }
    status = open_file(&file, isolation, program, step);
    if (status == FTL_OK) {
        keep_open(image, app, isolation, *program);
    }
    return status;
}

static ftl_status_t create_process(const struct ftl_app *app,
                                   const struct ftl_spawn_options *options, ftl_handle_t *process)
{
    ftl_handle_t vmspace = options->vmspace;
    ftl_status_t status = FTL_OK;
    if (vmspace == FTL_HANDLE_INVALID) {
        status = ftl_vmspace_create(options->isolation, &vmspace);
    }
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_process_create(vmspace, app->name, strlen(app->name), app->memory_limit, process);
    if (options->vmspace == FTL_HANDLE_INVALID) {
        ftl_handle_close(vmspace);
    }
    return status;
}

/* Gives the new process its own copy of the handle. */
static ftl_status_t grant_handle(const struct making *making, const struct ftl_spawn_handle *offer,
                                 ftl_handle_t *granted)
{
    ftl_handle_t copy;
    ftl_status_t status = ftl_handle_duplicate(offer->handle, offer->rights, &copy);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_process_grant(making->process, copy, FTL_RIGHTS_SAME, granted);
    if (status != FTL_OK) {
        ftl_handle_close(copy);
    }
    return status;
}

/* Makes the entry of the new process's environment. */
static ftl_status_t grant(struct making *making, const struct ftl_spawn_handle *offer)
{
    struct ftl_environ_handle *entry = &making->granted[making->granted_count];
    ftl_status_t status = FTL_OK;

    if (strlen(offer->name) >= sizeof(entry->name)) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    entry->handle = FTL_HANDLE_INVALID;
    if (offer->handle != FTL_HANDLE_INVALID) {
        status = grant_handle(making, offer, &entry->handle);
    }
    if (status != FTL_OK) {
        return status;
    }
    strcpy(entry->name, offer->name);
    making->granted_count++;
    return FTL_OK;
}

/* Of some descriptors a name says it all; what else is not there is not on offer. */
static bool is_offered(const struct ftl_spawn_handle *offer)
{
    return offer->handle != FTL_HANDLE_INVALID ||
           strncmp(offer->name, FTL_INHERIT_PREFIX, strlen(FTL_INHERIT_PREFIX)) == 0;
}

static ftl_status_t grant_all(struct making *making, const struct ftl_app *app,
                              const struct ftl_spawn_options *options)
{
    if (options->handle_count > FTL_SPAWN_HANDLES_MAX) {
        return FTL_ERR_LIMIT;
    }
    for (size_t i = 0; i < options->handle_count; i++) {
        const struct ftl_spawn_handle *offer = &options->handles[i];
        if (!is_offered(offer) || !ftl_app_is_granted(app, offer->name)) {
            continue;
        }
        ftl_status_t status = grant(making, offer);
        if (status != FTL_OK) {
            return status;
        }
    }
    return FTL_OK;
}

static ftl_status_t start(const struct making *making, const struct ftl_spawn_options *options)
{
    _Alignas(struct ftl_environ_handle) char blob[FTL_ENVIRON_MAX];
    size_t size;
    struct ftl_environ_content content = {
        .args = options->args,
        .arg_count = options->arg_count,
        .vars = options->vars,
        .var_count = options->var_count,
        .handles = making->granted,
        .handle_count = making->granted_count,
    };
    ftl_status_t status = ftl_environ_write(blob, sizeof(blob), &content, &size);
    if (status != FTL_OK) {
        return status;
    }
    return ftl_process_start(making->process, making->entry, blob, size);
}

/* A program that is not of the image is not kept open. */
static void close_own(const struct ftl_spawn_options *options, struct ftl_program *program)
{
    if (options->file != NULL && program != NULL) {
        ftl_program_close(program);
    }
}

ftl_status_t ftl_spawn(struct ftl_bootimage *image, const struct ftl_app *app,
                       const struct ftl_spawn_options *options, ftl_handle_t *process,
                       const char **step)
{
    struct ftl_program *program = NULL;
    struct making making = { .process = FTL_HANDLE_INVALID };
    const char *now;

    ftl_status_t status = open_program(image, app, options, &program, &now);
    if (status != FTL_OK) {
        goto fail;
    }
    now = "creating its process";
    status = create_process(app, options, &making.process);
    if (status != FTL_OK) {
        goto fail;
    }
    now = "loading its program";
    status = ftl_program_load(program, making.process, &making.entry);
    if (status != FTL_OK) {
        goto fail_close;
    }
    now = "granting its handles";
    status = grant_all(&making, app, options);
    if (status != FTL_OK) {
        goto fail_close;
    }
    now = "starting it";
    status = start(&making, options);
    if (status != FTL_OK) {
        goto fail_close;
    }
    *process = making.process;
    close_own(options, program);
    return FTL_OK;

fail_close:
    ftl_handle_close(making.process);
fail:
    close_own(options, program);
    if (step != NULL) {
        *step = now;
    }
    return status;
}
