/* The apps of the boot image: listing them, and running one. */
#include <ftl/server.h>
#include <stdio.h>
#include <string.h>

#include "shell.h"

#define ISOLATION_OPTION "--isolation="

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

/* How an app is isolated when the command does not say: as the boot arguments do, else its
 * manifest. */
static ftl_isolation_t default_isolation(const struct shell *shell, const struct ftl_app *app)
{
    ftl_isolation_t isolation = app->isolation;
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

/* Starts the app; false after a message. */
static bool start(struct shell *shell, const struct ftl_app *app, ftl_isolation_t isolation,
                  size_t count, char **word, ftl_handle_t *process)
{
    ftl_handle_t names = FTL_HANDLE_INVALID;
    const char *step = "connecting it to the name service";
    ftl_status_t status = ftl_service_names_for(shell->names, app, &names);
    const struct ftl_spawn_handle offered[] = {
        { "console", shell->console, FTL_RIGHTS_SAME },
        { "system", shell->system, FTL_RIGHTS_SAME },
        { "statistics", shell->system, FTL_RIGHT_READ | FTL_RIGHT_TRANSFER }, /* may only look */
        { "bootimage", shell->image.vmo, FTL_RIGHTS_SAME },
        { "files", shell->image.vmo, FTL_RIGHT_READ | FTL_RIGHT_MAP | FTL_RIGHT_TRANSFER },
        { "names", names, FTL_RIGHTS_SAME },
    };
    const struct ftl_spawn_options options = {
        .isolation = isolation,
        .args = (const char *const *)word,
        .arg_count = count,
        .handles = offered,
        .handle_count = sizeof(offered) / sizeof(offered[0]),
    };
    fflush(stdout); /* before the app writes */
    if (status == FTL_OK) {
        status = ftl_spawn(&shell->image, app, &options, process, &step);
    }
    ftl_ipc_drop(&names); /* the app has its own by now */
    if (status != FTL_OK) {
        fprintf(stderr, "run: cannot start '%s' (%s): %s: %s\n", app->name,
                ftl_isolation_name(isolation), step, ftl_strerror(status));
    }
    return status == FTL_OK;
}

static int32_t run_app(struct shell *shell, const struct ftl_app *app, ftl_isolation_t isolation,
                       size_t count, char **word)
{
    ftl_handle_t process;
    if (shell->background && !shell_job_room(shell)) {
        return SHELL_NO_START;
    }
    if (!start(shell, app, isolation, count, word, &process)) {
        return SHELL_NO_START;
    }
    if (shell->background) {
        shell_job_add(shell, process, count, word);
        return SHELL_OK;
    }
    return shell_wait_foreground(shell, process);
}

/* Reads the app's manifest; false after a message, with the exit status in `result`. */
static bool find_app(struct shell *shell, const char *name, struct ftl_app *app, int32_t *result)
{
    ftl_status_t status = ftl_app_find(&shell->image, name, app);
    if (status == FTL_ERR_NOT_FOUND) {
        fprintf(stderr, "run: no app '%s' in the boot image; `run` alone lists them\n", name);
        *result = SHELL_NOT_FOUND;
    } else if (status != FTL_OK) {
        fprintf(stderr, "run: cannot read the manifest of '%s': %s\n", name, ftl_strerror(status));
        *result = SHELL_NO_START;
    }
    return status == FTL_OK;
}

bool shell_apps_try(struct shell *shell, size_t count, char **word, int32_t *result)
{
    struct ftl_app app;
    if (ftl_app_find(&shell->image, word[0], &app) == FTL_ERR_NOT_FOUND) {
        return false;
    }
    if (find_app(shell, word[0], &app, result)) {
        *result = run_app(shell, &app, default_isolation(shell, &app), count, word);
    }
    return true;
}

int32_t shell_run(struct shell *shell, size_t count, char **word)
{
    struct ftl_app app;
    ftl_isolation_t isolation;
    int32_t result;
    const char *wanted = NULL;
    size_t first = 1;

    if (count == 1) {
        shell_apps_each(shell, print_app, shell);
        return SHELL_OK;
    }
    if (strncmp(word[1], ISOLATION_OPTION, strlen(ISOLATION_OPTION)) == 0) {
        wanted = word[first++] + strlen(ISOLATION_OPTION);
        if (!ftl_isolation_parse(wanted, &isolation)) {
            fprintf(stderr, "run: '%s' is not an isolation: user or sandbox\n", wanted);
            return SHELL_USAGE;
        }
    }
    if (first == count || word[first][0] == '-') {
        return shell_usage(word[0]);
    }
    if (!find_app(shell, word[first], &app, &result)) {
        return result;
    }
    if (wanted == NULL) {
        isolation = default_isolation(shell, &app);
    }
    return run_app(shell, &app, isolation, count - first, word + first);
}
