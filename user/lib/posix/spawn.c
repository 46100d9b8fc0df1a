/*
 * posix_spawn() by ftl_spawn(): a path is the name of an app of the boot image, alone or in a
 * directory bin. Needs the handle `bootimage`. What the new program gets is what both its manifest
 * and what this one has itself allow: the handles that can be passed on, a connection to the name
 * service for it, and memory out of this program's limit.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/inherit.h>
#include <ftl/inherit_spawn.h>
#include <ftl/ipc.h>
#include <ftl/notification.h>
#include <ftl/process.h>
#include <ftl/server.h>
#include <ftl/signals.h>
#include <ftl/spawn.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>

#include "children.h"
#include "descriptor.h"
#include "posix.h"
#include "signals.h"
#include "spawn_actions.h"

#define FILE_PROTOCOL      "file"
#define SHELL_ALIAS        "sh"
#define SHELL              "shell"
#define ISOLATION_VARIABLE "FTL_ISOLATION="
#define MEMORY_PARTS       16
#define MEMORY_FIRST       (UINT64_C(8) << 20)
#define MEMORY_LEAST       (UINT64_C(1) << 20)
#define INHERITED_FLAGS    (O_ACCMODE | O_APPEND | O_NONBLOCK)
#define PASSED_ON          (FTL_RIGHT_DUPLICATE | FTL_RIGHT_TRANSFER)

/* ftl_spawn() is for one thread at a time. The image stays open. */
static struct {
    pthread_mutex_t lock;
    struct ftl_bootimage image;
} programs;

/* A program in the making: what it is offered. */
struct offer {
    struct ftl_spawn_handle handles[FTL_SPAWN_HANDLES_MAX];
    char names[FTL_SPAWN_HANDLES_MAX][FTL_NAME_MAX]; /* of those that are ours to close */
    size_t count;
    size_t owned;                                     /* the first so many */
    struct description *files[FTL_SPAWN_HANDLES_MAX]; /* that are to be shared */
    size_t file_count;
    struct descriptor_copy descriptors;
};

/* ---- Handles ---- */

/* Offers a handle under a name of ours, and takes it. */
static long offer_own(struct offer *offer, const char *name, ftl_handle_t handle)
{
    if (offer->count == FTL_SPAWN_HANDLES_MAX) {
        ftl_handle_close(handle);
        return -EMFILE;
    }
    strcpy(offer->names[offer->count], name);
    offer->handles[offer->count] =
        (struct ftl_spawn_handle){ offer->names[offer->count], handle, FTL_RIGHTS_SAME };
    offer->count++;
    offer->owned = offer->count;
    return 0;
}

/* What the new program is told of an open file, as which it has all descriptors from `fd` on that
 * are one here. */
static void describe(struct offer *offer, int fd, struct ftl_inherit *inherit)
{
    const struct description *description = offer->descriptors.entries[fd];
    *inherit = (struct ftl_inherit){ .flags = (uint32_t)description->flags & INHERITED_FLAGS };
    strcpy(inherit->kind, description->operations->kind);
    for (; fd < POSIX_DESCRIPTORS_MAX && inherit->count < FTL_INHERIT_LIST_MAX; fd++) {
        if (offer->descriptors.entries[fd] == description &&
            !offer->descriptors.close_on_exec[fd]) {
            inherit->fds[inherit->count++] = fd;
        }
    }
}

/* The number of a file, which is among those to be shared from now on; 0: there are too many. */
static uint32_t number_of_file(struct offer *offer, struct description *file)
{
    size_t place = 0;
    while (place < offer->file_count && offer->files[place] != file) {
        place++;
    }
    if (place == FTL_SPAWN_HANDLES_MAX) {
        return 0;
    }
    if (place == offer->file_count) {
        offer->files[offer->file_count++] = file;
    }
    return (uint32_t)place + 1;
}

static long offer_description(struct offer *offer, int fd)
{
    struct description *description = offer->descriptors.entries[fd];
    struct ftl_inherit inherit;
    char name[FTL_NAME_MAX];
    ftl_handle_t handle = FTL_HANDLE_INVALID;
    describe(offer, fd, &inherit);
    if (strcmp(inherit.kind, POSIX_FILE) == 0) {
        inherit.number = number_of_file(offer, description);
        if (inherit.number == 0) {
            return -EMFILE;
        }
    }
    ftl_inherit_format(name, &inherit);
    if (description->operations->pass_on != NULL) {
        ftl_status_t status = description->operations->pass_on(description, &handle);
        if (status != FTL_OK) {
            return posix_error(status);
        }
    }
    for (size_t i = 0; i < inherit.count; i++) {
        offer->descriptors.close_on_exec[inherit.fds[i]] = true; /* it has been dealt with */
    }
    return offer_own(offer, name, handle);
}

static long offer_descriptors(struct offer *offer)
{
    static struct ftl_inherit none = { .kind = "none" };
    char name[FTL_NAME_MAX];
    size_t before = offer->count;
    for (int fd = 0; fd < POSIX_DESCRIPTORS_MAX; fd++) {
        const struct description *description = offer->descriptors.entries[fd];
        if (description == NULL || offer->descriptors.close_on_exec[fd] ||
            description->operations->kind == NULL) {
            continue;
        }
        long error = offer_description(offer, fd);
        if (error != 0) {
            return error;
        }
    }
    if (offer->count != before) {
        return 0;
    }
    ftl_inherit_format(name, &none);
    return offer_own(offer, name, FTL_HANDLE_INVALID);
}

static long offer_files(struct offer *offer, const struct ftl_app *app)
{
    ftl_handle_t handle = FTL_HANDLE_INVALID;
    long error =
        file_share_all(offer->files, offer->file_count, ftl_app_uses(app, FILE_PROTOCOL), &handle);
    if (error != 0 || handle == FTL_HANDLE_INVALID) {
        return error;
    }
    return offer_own(offer, FTL_INHERIT_FILES, handle);
}

static long offer_signals(struct offer *offer, ftl_handle_t *signals)
{
    char name[FTL_NAME_MAX];
    ftl_handle_t copy;
    ftl_status_t status = ftl_notification_create(signals);
    if (status == FTL_OK) {
        status = ftl_handle_duplicate(*signals, FTL_RIGHTS_SAME, &copy);
        if (status != FTL_OK) {
            ftl_ipc_drop(signals);
        }
    }
    if (status != FTL_OK) {
        return posix_error(status);
    }
    ftl_signals_name(name, (uint64_t)sys_getpid());
    long error = offer_own(offer, name, copy);
    if (error != 0) {
        ftl_ipc_drop(signals);
    }
    return error;
}

static bool is_own(const char *name)
{
    static const char *const prefixes[] = { FTL_INHERIT_PREFIX, FTL_SIGNALS_PREFIX };
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    return strcmp(name, "names") == 0 || strcmp(name, "service") == 0;
}

/* What this program has and may pass on. */
static void offer_environment(struct offer *offer)
{
    const struct ftl_environ *env = ftl_environ();
    for (size_t i = 0; i < env->handle_count; i++) {
        const char *name = env->handles[i].name;
        ftl_handle_t handle = ftl_environ_find(env, name);
        if (offer->count < FTL_SPAWN_HANDLES_MAX && !is_own(name) &&
            ftl_handle_check(handle, FTL_OBJECT_ANY, PASSED_ON) == FTL_OK) {
            offer->handles[offer->count++] =
                (struct ftl_spawn_handle){ name, handle, FTL_RIGHTS_SAME };
        }
    }
}

/* A connection to the name service for the new program, if it wants one and this one has one. */
static long offer_names(struct offer *offer, const struct ftl_app *app)
{
    ftl_handle_t names;
    ftl_handle_t starter = ftl_environ_find(ftl_environ(), "names");
    if (starter == FTL_HANDLE_INVALID) {
        return 0;
    }
    ftl_status_t status = ftl_service_names_for(starter, app, &names);
    if (status != FTL_OK || names == FTL_HANDLE_INVALID) {
        return posix_error(status);
    }
    return offer_own(offer, "names", names);
}

static void drop_offer(struct offer *offer)
{
    for (size_t i = 0; i < offer->owned; i++) {
        ftl_handle_close(offer->handles[i].handle);
    }
    descriptor_drop_copy(&offer->descriptors);
    free(offer);
}

/* ---- Programs ---- */

/* The name of the app that the path means; NULL: none. */
static const char *app_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    bool is_in_bin = slash == NULL || strncmp(path, "/bin/", (size_t)(name - path)) == 0 ||
                     strncmp(path, "bin/", (size_t)(name - path)) == 0 ||
                     strncmp(path, "/usr/bin/", (size_t)(name - path)) == 0;
    if (!is_in_bin) {
        return NULL;
    }
    return strcmp(name, SHELL_ALIAS) == 0 ? SHELL : name;
}

/* Opens the boot image, once; the lock is held. */
static long open_image(void)
{
    ftl_handle_t handle = ftl_environ_find(ftl_environ(), "bootimage");
    if (programs.image.data != NULL) {
        return 0;
    }
    if (handle == FTL_HANDLE_INVALID) {
        return -EPERM;
    }
    return posix_error(ftl_bootimage_open(&programs.image, handle));
}

/* The isolation that the new program's variables ask for, else the manifest's. */
static long choose_isolation(char *const *vars, ftl_isolation_t *isolation)
{
    size_t prefix = strlen(ISOLATION_VARIABLE);
    for (; vars != NULL && *vars != NULL; vars++) {
        if (strncmp(*vars, ISOLATION_VARIABLE, prefix) == 0) {
            return ftl_isolation_parse(*vars + prefix, isolation) ? 0 : -EINVAL;
        }
    }
    return 0;
}

/*
 * What a program may use is lent by this one, whose limit all together must not exceed: a part of
 * that, so that there is something for others, and less when there is not as much.
 */
static void limit_memory(struct ftl_app *app)
{
    struct ftl_process_info info;
    ftl_handle_t self;
    if (ftl_process_self(&self) != FTL_OK) {
        return;
    }
    if (ftl_process_info(self, &info) == FTL_OK) {
        uint64_t part = info.memory_limit / MEMORY_PARTS;
        part = part > MEMORY_FIRST ? part : MEMORY_FIRST;
        app->memory_limit = app->memory_limit < part ? app->memory_limit : part;
    }
    ftl_handle_close(self);
}

/* Starts the app with as much memory as there can be for it, up to what its manifest says. */
static ftl_status_t spawn_limited(struct ftl_bootimage *image, struct ftl_app *app,
                                  const struct ftl_spawn_options *options, ftl_handle_t *process,
                                  const char **step)
{
    limit_memory(app);
    ftl_status_t status = ftl_spawn(image, app, options, process, step);
    while (status == FTL_ERR_LIMIT && app->memory_limit > MEMORY_LEAST) {
        app->memory_limit /= 2;
        status = ftl_spawn(image, app, options, process, step);
    }
    return status;
}

static size_t count_strings(char *const *strings)
{
    size_t count = 0;
    while (strings != NULL && strings[count] != NULL) {
        count++;
    }
    return count;
}

/* Starts the app, with what is on offer; the lock is held. */
static long start(struct ftl_app *app, const struct offer *offer, char *const *args,
                  char *const *vars, ftl_handle_t *process)
{
    struct ftl_spawn_options options = {
        .isolation = app->isolation,
        .args = (const char *const *)args,
        .arg_count = count_strings(args),
        .vars = (const char *const *)vars,
        .var_count = count_strings(vars),
        .handles = offer->handles,
        .handle_count = offer->count,
    };
    long error = choose_isolation(vars, &options.isolation);
    if (error != 0) {
        return error;
    }
    return posix_error(spawn_limited(&programs.image, app, &options, process, NULL));
}

/* Finds the app and puts together what it gets; the lock is held. */
static long prepare(const char *path, struct ftl_app *app, struct offer *offer,
                    ftl_handle_t *signals)
{
    const char *name = app_name(path);
    long error = open_image();
    if (error == 0) {
        error = name != NULL ? posix_error(ftl_app_find(&programs.image, name, app)) : -ENOENT;
    }
    if (error == 0) {
        error = offer_descriptors(offer);
    }
    if (error == 0) {
        error = offer_files(offer, app);
    }
    if (error == 0) {
        error = offer_names(offer, app);
    }
    if (error == 0) {
        error = offer_signals(offer, signals);
    }
    offer_environment(offer);
    return error;
}

static long spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                  char *const *args, char *const *vars)
{
    struct ftl_app app;
    ftl_handle_t process = FTL_HANDLE_INVALID;
    ftl_handle_t signals = FTL_HANDLE_INVALID;
    struct offer *offer = calloc(1, sizeof(*offer));
    if (offer == NULL || !posix_watch_signals()) { /* those of Ctrl-C are for children, too */
        free(offer);
        return -ENOMEM;
    }
    descriptor_copy_table(&offer->descriptors);
    long error = spawn_actions_do(actions, &offer->descriptors);
    pthread_mutex_lock(&programs.lock);
    if (error == 0) {
        error = prepare(path, &app, offer, &signals);
    }
    if (error == 0) {
        error = start(&app, offer, args, vars, &process);
    }
    pthread_mutex_unlock(&programs.lock);
    drop_offer(offer);
    if (error != 0) {
        ftl_ipc_drop(&signals);
        return error;
    }
    long started;
    error = posix_error(children_add(process, signals, &started));
    if (error == 0 && pid != NULL) {
        *pid = (pid_t)started;
    }
    return error;
}

int posix_spawn(pid_t *restrict pid, const char *restrict path,
                const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *restrict attributes, char *const args[restrict],
                char *const vars[restrict])
{
    (void)attributes; /* docs/posix.md says what becomes of each */
    return (int)-spawn(pid, path, actions, args, vars);
}

int posix_spawnp(pid_t *restrict pid, const char *restrict path,
                 const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *restrict attributes, char *const args[restrict],
                 char *const vars[restrict])
{
    return posix_spawn(pid, path, actions, attributes, args, vars);
}

/* ---- Shells ---- */

static ftl_status_t status_of(long error)
{
    return error == 0 ? FTL_OK : error == -ENOMEM ? FTL_ERR_NO_MEMORY : FTL_ERR_LIMIT;
}

/* Puts together what is inherited, and what the caller offers. */
static long offer_all(struct offer *offer, const struct ftl_app *app,
                      const struct ftl_spawn_options *options, ftl_handle_t *signals)
{
    long error = offer_descriptors(offer);
    if (error == 0) {
        error = offer_files(offer, app);
    }
    if (error == 0 && offer->count + options->handle_count >= FTL_SPAWN_HANDLES_MAX) {
        error = -EMFILE;
    }
    if (error == 0) {
        error = offer_signals(offer, signals);
    }
    for (size_t i = 0; error == 0 && i < options->handle_count; i++) {
        offer->handles[offer->count++] = options->handles[i];
    }
    return error;
}

ftl_status_t ftl_spawn_inheriting(struct ftl_bootimage *image, const struct ftl_app *app,
                                  const struct ftl_spawn_options *options, ftl_handle_t *process,
                                  ftl_handle_t *signals, const char **step)
{
    struct ftl_spawn_options all = *options;
    struct ftl_app limited = *app;
    struct offer *offer = calloc(1, sizeof(*offer));
    *signals = FTL_HANDLE_INVALID;
    *step = "passing on descriptors";
    if (offer == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    descriptor_copy_table(&offer->descriptors);
    ftl_status_t status = status_of(offer_all(offer, app, options, signals));
    if (status == FTL_OK) {
        all.handles = offer->handles;
        all.handle_count = offer->count;
        status = spawn_limited(image, &limited, &all, process, step);
    }
    drop_offer(offer);
    if (status != FTL_OK) {
        ftl_ipc_drop(signals);
    }
    return status;
}
