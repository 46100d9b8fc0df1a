/* ftl_spawn: see <ftl/spawn.h>. */
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/process.h>
#include <ftl/spawn.h>
#include <ftl/vmspace.h>
#include <string.h>

#include "app.h"
#include "kernel/bootimage.h"

#define ALWAYS_GRANTED "console"

static const char *const program_suffixes[] = {
    [FTL_ISOLATION_SANDBOX] = ".sandbox",
    [FTL_ISOLATION_USER] = ".user",
};

/* A process in the making, and what it will find in its environment. */
struct making {
    ftl_handle_t process;
    struct ftl_environ_handle granted[FTL_SPAWN_HANDLES_MAX];
    size_t granted_count;
};

static ftl_status_t find_program(const struct ftl_bootimage *image, const struct ftl_app *app,
                                 ftl_isolation_t isolation, struct bootimage_file *file)
{
    struct bootimage archive = { image->data, image->size };
    char path[BOOTIMAGE_NAME_MAX];

    if (isolation != FTL_ISOLATION_SANDBOX && isolation != FTL_ISOLATION_USER) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    if (!ftl_app_path(path, sizeof(path), app->name, program_suffixes[isolation])) {
        return FTL_ERR_NOT_FOUND;
    }
    return bootimage_find(&archive, path, file);
}

static ftl_status_t create_process(const struct ftl_app *app, ftl_isolation_t isolation,
                                   ftl_handle_t *process)
{
    ftl_handle_t vmspace;
    ftl_status_t status = ftl_vmspace_create(isolation, &vmspace);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_process_create(vmspace, app->name, strlen(app->name), app->memory_limit, process);
    ftl_handle_close(vmspace);
    return status;
}

/* Gives the new process its own copy of the handle. */
static ftl_status_t grant(struct making *making, const struct ftl_spawn_handle *offer)
{
    struct ftl_environ_handle *entry = &making->granted[making->granted_count];
    ftl_handle_t copy;

    if (strlen(offer->name) >= sizeof(entry->name)) {
        return FTL_ERR_INVALID_ARGUMENT;
    }
    ftl_status_t status = ftl_handle_duplicate(offer->handle, offer->rights, &copy);
    if (status != FTL_OK) {
        return status;
    }
    status = ftl_process_grant(making->process, copy, FTL_RIGHTS_SAME, &entry->handle);
    if (status != FTL_OK) {
        ftl_handle_close(copy);
        return status;
    }
    strcpy(entry->name, offer->name);
    making->granted_count++;
    return FTL_OK;
}

static bool is_granted(const struct ftl_app *app, const char *name)
{
    struct text grants = { app->grants, strlen(app->grants) };
    return strcmp(name, ALWAYS_GRANTED) == 0 || text_has_word(grants, name);
}

static ftl_status_t grant_all(struct making *making, const struct ftl_app *app,
                              const struct ftl_spawn_options *options)
{
    if (options->handle_count > FTL_SPAWN_HANDLES_MAX) {
        return FTL_ERR_LIMIT;
    }
    for (size_t i = 0; i < options->handle_count; i++) {
        if (!is_granted(app, options->handles[i].name)) {
            continue;
        }
        ftl_status_t status = grant(making, &options->handles[i]);
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
    return ftl_process_start(making->process, blob, size);
}

ftl_status_t ftl_spawn(const struct ftl_bootimage *image, const struct ftl_app *app,
                       const struct ftl_spawn_options *options, ftl_handle_t *process,
                       const char **step)
{
    struct bootimage_file program;
    struct making making = { .process = FTL_HANDLE_INVALID };
    const char *now = "finding its program";

    ftl_status_t status = find_program(image, app, options->isolation, &program);
    if (status != FTL_OK) {
        goto fail;
    }
    now = "creating its process";
    status = create_process(app, options->isolation, &making.process);
    if (status != FTL_OK) {
        goto fail;
    }
    now = "loading its program";
    status = ftl_process_load(making.process, image->vmo, program.offset, program.size);
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
    return FTL_OK;

fail_close:
    ftl_handle_close(making.process);
fail:
    if (step != NULL) {
        *step = now;
    }
    return status;
}
