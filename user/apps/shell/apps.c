/* Programs: listing those of the boot image, and starting one. */
#include <errno.h>
#include <ftl/handle.h>
#include <ftl/inherit_spawn.h>
#include <ftl/ipc.h>
#include <ftl/notification.h>
#include <ftl/process.h>
#include <ftl/server.h>
#include <ftl/vmo.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shell.h"

#define ISOLATION_OPTION "--isolation="
#define FILE_MANIFEST    "program" /* says what programs that are files may use */
#define LINE_WIDTH       100       /* of the list of aliases */
#define NUMBER_TEXT      24        /* bytes of a printed 64-bit number */

void shell_apps_each(struct shell *shell,
                     void (*visit)(void *context, const struct ftl_app *app, bool malformed),
                     void *context)
{
    struct ftl_app app;
    size_t position = 0;
    for (;;) {
        app.name[0] = '\0';
        ftl_status_t status = ftl_app_next(&shell->image, &position, &app);
        if (app.name[0] == '\0' || status == FTL_ERR_NOT_FOUND) {
            return;
        }
        visit(context, &app, status != FTL_OK);
    }
}

/* How an app is isolated when the command does not say: as the boot arguments do, for its own name
 * or that of its program, else its manifest. */
static ftl_isolation_t default_isolation(const struct shell *shell, const struct ftl_app *app)
{
    ftl_isolation_t isolation = app->isolation;
    ftl_isolation_of_app(shell->bootargs, shell->bootarg_count, app->program, &isolation);
    ftl_isolation_of_app(shell->bootargs, shell->bootarg_count, app->name, &isolation);
    return isolation;
}

static void print_app(void *context, const struct ftl_app *app, bool malformed)
{
    if (malformed) {
        printf("%-16s its manifest is malformed\n", app->name);
        return;
    }
    printf("%-16s %-8s %s\n", app->name, ftl_isolation_name(default_isolation(context, app)),
           app->description);
}

/* The other names of the program, below it. */
static void print_aliases(const struct shell *shell, const char *program)
{
    char alias[FTL_NAME_MAX];
    char app[FTL_NAME_MAX];
    size_t position = 0;
    size_t column = 0;
    while (ftl_app_next_alias(&shell->image, &position, alias, app) == FTL_OK) {
        if (strcmp(app, program) != 0) {
            continue;
        }
        if (column + strlen(alias) + 1 > LINE_WIDTH) {
            column = 0;
            putchar('\n');
        }
        column += (size_t)(column == 0 ? printf("    %s", alias) : printf(" %s", alias));
    }
    if (column > 0) {
        putchar('\n');
    }
}

static void print_with_aliases(void *context, const struct ftl_app *app, bool malformed)
{
    print_app(context, app, malformed);
    if (!malformed) {
        print_aliases(context, app->program);
    }
}

/* Makes what other shells are told of Ctrl-C by, for those that want that. */
static ftl_status_t make_interrupts(const struct ftl_app *app, struct shell_child *child)
{
    return ftl_app_is_granted(app, "interrupts") ? ftl_notification_create(&child->interrupts)
                                                 : FTL_OK;
}

/* Starts an app; `script` is for other shells alone. *step says what failed. */
static ftl_status_t start_with(struct shell *shell, const struct ftl_app *app,
                               const struct ftl_spawn_options *options, ftl_handle_t script,
                               struct shell_child *child, const char **step)
{
    struct ftl_spawn_options all = *options;
    struct ftl_app manifest = *app;
    ftl_handle_t names;
    *step = "connecting it to the name service";
    if (options->file != NULL) { /* its process has another name */
        strcpy(manifest.name, manifest.program);
    }
    ftl_status_t status = ftl_service_names_for(shell->names, &manifest, &names);
    if (status != FTL_OK) {
        return status;
    }
    const struct ftl_spawn_handle offered[] = {
        { "console", shell->console, FTL_RIGHTS_SAME },
        { "system", shell->system, FTL_RIGHTS_SAME },
        { "statistics", shell->system, FTL_RIGHT_READ | FTL_RIGHT_TRANSFER }, /* may only look */
        { "bootimage", shell->image.vmo, FTL_RIGHTS_SAME },
        { "files", shell->image.vmo, FTL_RIGHT_READ | FTL_RIGHT_MAP | FTL_RIGHT_TRANSFER },
        { "names", names, FTL_RIGHTS_SAME },
        { "interrupts", child->interrupts, FTL_RIGHTS_SAME },
        { "script", script, FTL_RIGHTS_SAME },
    };
    all.handles = offered;
    all.handle_count = sizeof(offered) / sizeof(offered[0]) - (script == FTL_HANDLE_INVALID);
    fflush(stdout); /* before the app writes */
    status = ftl_spawn_inheriting(&shell->image, app, &all, &child->process, &child->signals, step);
    ftl_ipc_drop(&names); /* the app has its own by now */
    return status;
}

/* The same, with all that the shell's children get. False after a message. */
static bool start(struct shell *shell, const struct ftl_app *app, ftl_isolation_t isolation,
                  const struct ftl_program_file *file, size_t count, char **word,
                  ftl_handle_t script, struct shell_child *child)
{
    struct shell_fields variables = { .count = 0 };
    struct ftl_process_info info = { .pid = 0 };
    const char *step = "making what it gets";
    *child = (struct shell_child){ .process = FTL_HANDLE_INVALID };
    ftl_status_t status = make_interrupts(app, child);
    if (status == FTL_OK &&
        !shell_variables_exported(shell, child->interrupts != FTL_HANDLE_INVALID, &variables)) {
        status = FTL_ERR_NO_MEMORY;
    }
    if (status == FTL_OK) {
        const struct ftl_spawn_options options = {
            .isolation = isolation,
            .file = file,
            .args = (const char *const *)word,
            .arg_count = count,
            .vars = (const char *const *)variables.field,
            .var_count = variables.count,
        };
        status = start_with(shell, app, &options, script, child, &step);
    }
    shell_fields_free(&variables);
    if (status != FTL_OK) {
        ftl_ipc_drop(&child->interrupts);
        fprintf(stderr, "run: cannot start '%s' (%s): %s: %s\n", app->name,
                ftl_isolation_name(isolation), step, ftl_strerror(status));
        return false;
    }
    if (ftl_process_info(child->process, &info) == FTL_OK) {
        child->pid = info.pid;
    }
    return true;
}

/* Runs a file that is no program by another shell. */
static bool start_script(struct shell *shell, const struct shell_target *target, size_t count,
                         char **word, struct shell_child *child)
{
    static char shell_name[] = "sh";
    char **words = calloc(count + 1, sizeof(*words));
    if (words == NULL) {
        fprintf(stderr, "shell: no memory to run %s\n", target->path);
        return false;
    }
    words[0] = shell_name;
    words[1] = (char *)(uintptr_t)target->path;
    for (size_t i = 1; i < count; i++) {
        words[i + 1] = word[i];
    }
    bool ok = start(shell, &target->app, target->isolation, NULL, count + 1, words,
                    FTL_HANDLE_INVALID, child);
    free(words);
    return ok;
}

/* Runs a file that is a program, in the isolation that it was built for. */
static bool start_file(struct shell *shell, const struct shell_target *target, size_t count,
                       char **word, struct shell_child *child)
{
    struct ftl_app app = target->app;
    struct shell_image image;
    const char *slash = strrchr(target->path, '/');
    ftl_isolation_t isolation = target->isolation;
    if (!shell_image_open(target->path, &image)) {
        return false;
    }
    if (target->any_isolation) {
        isolation = ftl_program_is_for(&image.file, FTL_ISOLATION_USER) ? FTL_ISOLATION_USER
                                                                        : FTL_ISOLATION_SANDBOX;
    }
    snprintf(app.name, sizeof(app.name), "%s", slash != NULL ? slash + 1 : target->path);
    bool ok = start(shell, &app, isolation, &image.file, count, word, FTL_HANDLE_INVALID, child);
    shell_image_close(&image);
    return ok;
}

bool shell_target_start(struct shell *shell, const struct shell_target *target, size_t count,
                        char **word, struct shell_child *child)
{
    count -= target->first;
    word += target->first;
    if (target->path[0] == '\0') {
        return start(shell, &target->app, target->isolation, NULL, count, word, FTL_HANDLE_INVALID,
                     child);
    }
    return strcmp(target->app.name, FILE_MANIFEST) == 0
               ? start_file(shell, target, count, word, child)
               : start_script(shell, target, count, word, child);
}

/* ---- Other shells ---- */

/* Memory with the state of this shell and the commands. */
static ftl_status_t make_script(const struct shell *shell, struct shell_text text,
                                ftl_handle_t *script)
{
    size_t size;
    char *state = shell_state(shell, text, &size);
    if (state == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    ftl_status_t status = ftl_vmo_create(size, script);
    if (status == FTL_OK) {
        status = ftl_vmo_write(*script, 0, state, size);
        if (status != FTL_OK) {
            ftl_handle_close(*script);
        }
    }
    free(state);
    return status;
}

bool shell_start_beside(struct shell *shell, struct shell_text text, struct shell_child *child)
{
    static char program[] = "shell";
    char pid[NUMBER_TEXT];
    char last_status[NUMBER_TEXT];
    char *word[SHELL_BESIDE_ARGUMENTS] = { program, pid, last_status,
                                           (char *)(uintptr_t)shell->name };
    struct ftl_app app;
    ftl_handle_t script;
    snprintf(pid, sizeof(pid), "%" PRIu64, shell->pid);
    snprintf(last_status, sizeof(last_status), "%" PRId32, shell->status);
    ftl_status_t status = ftl_app_find(&shell->image, program, &app);
    if (status == FTL_OK) {
        status = make_script(shell, text, &script);
    }
    if (status != FTL_OK) {
        fprintf(stderr, "shell: cannot run it beside this one: %s\n", ftl_strerror(status));
        return false;
    }
    bool ok =
        start(shell, &app, shell->isolation, NULL, SHELL_BESIDE_ARGUMENTS, word, script, child);
    ftl_handle_close(script);
    return ok;
}

/* ---- Finding ---- */

/* The app, by its name. NOT_FOUND without a message, other errors with one. */
static ftl_status_t find_app(struct shell *shell, const char *name, struct shell_target *target,
                             int32_t *result)
{
    ftl_status_t status = ftl_app_find(&shell->image, name, &target->app);
    if (status == FTL_OK) {
        target->isolation = default_isolation(shell, &target->app);
    } else if (status != FTL_ERR_NOT_FOUND) {
        fprintf(stderr, "run: cannot read the manifest of '%s': %s\n", name, ftl_strerror(status));
        *result = SHELL_NO_START;
    }
    return status;
}

/* A file: a program, or a script. The same errors. */
static ftl_status_t find_file(struct shell *shell, const char *name, struct shell_target *target,
                              int32_t *result)
{
    if (!shell_file_find(shell, name, target->path, sizeof(target->path))) {
        target->path[0] = '\0';
        return FTL_ERR_NOT_FOUND;
    }
    if (access(target->path, F_OK) != 0) {
        fprintf(stderr, "shell: %s: %s\n", target->path, strerror(errno));
        *result = SHELL_NOT_FOUND;
        return FTL_ERR_IO;
    }
    bool is_program = shell_file_is_program(target->path);
    target->any_isolation = is_program;
    return find_app(shell, is_program ? FILE_MANIFEST : "sh", target, result);
}

static ftl_status_t find_program(struct shell *shell, const char *name, struct shell_target *target,
                                 int32_t *result)
{
    target->path[0] = '\0';
    target->any_isolation = false;
    ftl_status_t status =
        strchr(name, '/') == NULL ? find_app(shell, name, target, result) : FTL_ERR_NOT_FOUND;
    return status == FTL_ERR_NOT_FOUND ? find_file(shell, name, target, result) : status;
}

/* `run [--isolation=...] NAME ...` */
static void find_for_run(struct shell *shell, size_t count, char **word,
                         struct shell_target *target, int32_t *result)
{
    const char *wanted = NULL;
    ftl_isolation_t isolation = FTL_ISOLATION_SANDBOX;
    target->first = 1;
    if (strncmp(word[1], ISOLATION_OPTION, strlen(ISOLATION_OPTION)) == 0) {
        wanted = word[target->first++] + strlen(ISOLATION_OPTION);
        if (!ftl_isolation_parse(wanted, &isolation)) {
            fprintf(stderr, "run: '%s' is not an isolation: user or sandbox\n", wanted);
            *result = SHELL_USAGE;
            return;
        }
    }
    if (target->first == count || word[target->first][0] == '-') {
        *result = shell_usage(word[0]);
        return;
    }
    const char *name = word[target->first];
    ftl_status_t status = find_program(shell, name, target, result);
    if (status == FTL_ERR_NOT_FOUND) {
        fprintf(stderr, "run: no app '%s' in the boot image; `run` alone lists them\n", name);
        *result = SHELL_NOT_FOUND;
    } else if (status == FTL_OK && wanted != NULL) {
        target->isolation = isolation;
        target->any_isolation = false;
    }
}

bool shell_target_find(struct shell *shell, size_t count, char **word, struct shell_target *target,
                       int32_t *result)
{
    *result = SHELL_OK;
    target->first = 0;
    if (strcmp(word[0], "run") == 0 && count > 1) {
        find_for_run(shell, count, word, target, result);
        return true;
    }
    if (shell_builtin_find(word[0]) != NULL) {
        return false;
    }
    if (find_program(shell, word[0], target, result) == FTL_ERR_NOT_FOUND) {
        fprintf(stderr, "shell: no command or app '%s'; `help` lists commands, `run` apps\n",
                word[0]);
        *result = SHELL_NOT_FOUND;
    }
    return true;
}

/* Without a name; else it is a program that is run, and no command of the shell. */
int32_t shell_run(struct shell *shell, size_t count, char **word)
{
    (void)count;
    (void)word;
    shell_apps_each(shell, print_with_aliases, shell);
    return SHELL_OK;
}
