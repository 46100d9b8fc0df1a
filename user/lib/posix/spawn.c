/*
 * posix_spawn() by ftl_spawn(): a path is that of a file, or the name of an app of the boot image,
 * alone or in a directory bin. Apps need the handle `bootimage`. What the new program gets is what
 * both its manifest and what this one has itself allow: the handles that can be passed on, a
 * connection to the name service for it, and memory out of this program's limit.
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
#include <limits.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "children.h"
#include "descriptor.h"
#include "posix.h"
#include "signals.h"
#include "spawn_actions.h"
#include "spawn_file.h"

#define FILE_PROTOCOL      "file"
#define FILE_MANIFEST      "program"
#define ISOLATION_VARIABLE "FTL_ISOLATION="
#define MEMORY_PARTS       16
#define MEMORY_FIRST       (UINT64_C(8) << 20)
#define MEMORY_LEAST       (UINT64_C(1) << 20)
#define INHERITED_FLAGS    (O_ACCMODE | O_APPEND | O_NONBLOCK)
#define PASSED_ON          (FTL_RIGHT_DUPLICATE | FTL_RIGHT_TRANSFER)

/* Used between children_begin_start() and its end. The image stays open. */
static struct {
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
    static const char *const directories[] = { "", "bin/", "/bin/", "/usr/bin/" };
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t size = (size_t)(name - path);
    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
        if (strlen(directories[i]) == size && strncmp(path, directories[i], size) == 0) {
            return name;
        }
    }
    return NULL;
}

/* Opens the boot image, once. */
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

/* What is to be started: an app of the boot image, or a file. */
struct program {
    struct ftl_app app; /* of a file: what stands in for its manifest */
    bool is_file;
    struct spawn_file file;
};

/* Starts the program, with what is on offer. */
static long start(struct program *program, const struct offer *offer, char *const *args,
                  char *const *vars, ftl_handle_t *process)
{
    struct ftl_app *app = &program->app;
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
    if (program->is_file) {
        options.isolation = program->file.isolation; /* it is for one of them */
        options.file = &program->file.file;
    }
    return posix_error(spawn_limited(&programs.image, app, &options, process, NULL));
}

static long find_app(struct program *program, const char *path)
{
    const char *name = app_name(path);
    long error = open_image();
    if (error == 0) {
        error = name != NULL ? posix_error(ftl_app_find(&programs.image, name, &program->app))
                             : -ENOENT;
    }
    return error;
}

/* A program from a file has no manifest. The boot image has one for all such; who cannot read that
 * gives them files alone. */
static long find_file(struct program *program, const char *path)
{
    long error = spawn_file_open(&program->file, path);
    if (error != 0) {
        return error;
    }
    program->is_file = true;
    if (open_image() != 0 ||
        ftl_app_find(&programs.image, FILE_MANIFEST, &program->app) != FTL_OK) {
        program->app = (struct ftl_app){ .memory_limit = FTL_APP_MEMORY_LIMIT };
        strcpy(program->app.uses, FILE_PROTOCOL);
    }
    return 0;
}

/* The process's name, instead of the manifest's. */
static void name_file(struct program *program, const char *path)
{
    const char *slash = strrchr(path, '/');
    program->app.name[0] = '\0';
    strncat(program->app.name, slash != NULL ? slash + 1 : path, FTL_NAME_MAX - 1);
}

/* Apps come first: those of the boot image are in all directories bin. `searches`: without a slash
 * it is the name of an app, and no file of the current directory. */
static long find_program(struct program *program, const char *path, bool searches)
{
    *program = (struct program){ 0 };
    long error = find_app(program, path);
    if (error == 0 || (searches && strchr(path, '/') == NULL)) {
        return error;
    }
    long file_error = find_file(program, path);
    bool is_told = file_error == -ENOEXEC || file_error == -EACCES || file_error == -ENOMEM;
    return file_error == 0 || is_told ? file_error : error;
}

/* Puts together what the program gets. */
static long prepare(const struct program *program, struct offer *offer, ftl_handle_t *signals)
{
    long error = offer_descriptors(offer);
    if (error == 0) {
        error = offer_files(offer, &program->app);
    }
    if (error == 0 && program->app.name[0] != '\0') { /* the name service knows manifests alone */
        error = offer_names(offer, &program->app);
    }
    if (error == 0) {
        error = offer_signals(offer, signals);
    }
    offer_environment(offer);
    return error;
}

static long add_child(ftl_handle_t process, ftl_handle_t signals, pid_t *pid)
{
    long started;
    long error = posix_error(children_add(process, signals, &started));
    if (error == 0 && pid != NULL) {
        *pid = (pid_t)started;
    }
    return error;
}

static long spawn(pid_t *pid, const char *path, bool searches,
                  const posix_spawn_file_actions_t *actions, char *const *args, char *const *vars)
{
    struct program program;
    ftl_handle_t process = FTL_HANDLE_INVALID;
    ftl_handle_t signals = FTL_HANDLE_INVALID;
    struct offer *offer = calloc(1, sizeof(*offer));
    if (offer == NULL || !posix_watch_signals()) { /* those of Ctrl-C are for children, too */
        free(offer);
        return -ENOMEM;
    }
    descriptor_copy_table(&offer->descriptors);
    children_begin_start();
    long error = find_program(&program, path, searches);
    if (error == 0) {
        error = spawn_actions_do(actions, &offer->descriptors);
    }
    if (error == 0) {
        error = prepare(&program, offer, &signals);
    }
    if (error == 0) {
        if (program.is_file) {
            name_file(&program, path);
        }
        error = start(&program, offer, args, vars, &process);
    }
    spawn_file_close(&program.file);
    if (error == 0) {
        error = add_child(process, signals, pid);
    } else {
        ftl_ipc_drop(&signals);
    }
    children_end_start();
    drop_offer(offer);
    return error;
}

int posix_spawn(pid_t *restrict pid, const char *restrict path,
                const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *restrict attributes, char *const args[restrict],
                char *const vars[restrict])
{
    (void)attributes; /* docs/posix.md says what becomes of each */
    return (int)-spawn(pid, path, false, actions, args, vars);
}

/* Tries the directories of PATH. */
static int spawn_in_path(pid_t *pid, const char *name, const posix_spawn_file_actions_t *actions,
                         char *const *args, char *const *vars)
{
    const char *directory = getenv("PATH");
    char path[PATH_MAX];
    int error = ENOENT;
    while (directory != NULL && error == ENOENT) {
        const char *end = strchrnul(directory, ':');
        int size = end != directory ? snprintf(path, sizeof(path), "%.*s/%s",
                                               (int)(end - directory), directory, name)
                                    : snprintf(path, sizeof(path), "./%s", name);
        if (size < (int)sizeof(path)) {
            error = (int)-spawn(pid, path, false, actions, args, vars);
        }
        directory = *end != '\0' ? end + 1 : NULL;
    }
    return error;
}

int posix_spawnp(pid_t *restrict pid, const char *restrict path,
                 const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *restrict attributes, char *const args[restrict],
                 char *const vars[restrict])
{
    (void)attributes;
    int error = (int)-spawn(pid, path, true, actions, args, vars);
    return error == ENOENT && strchr(path, '/') == NULL
               ? spawn_in_path(pid, path, actions, args, vars)
               : error;
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
