/* Tab: commands, apps, options, jobs and files, by where the word stands. */
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "shell.h"

#define CONTEXT_MAX 64 /* bytes of a command before the word that are looked at */

static void offer_builtins(struct ftl_line_completions *completions)
{
    const struct shell_builtin *builtin;
    for (size_t i = 0; (builtin = shell_builtin_at(i)) != NULL; i++) {
        ftl_line_completions_add(completions, builtin->name);
    }
}

static void offer_app(void *context, const struct ftl_app *app, bool malformed)
{
    (void)malformed;
    ftl_line_completions_add(context, app->name);
}

static void offer_apps(struct shell *shell, struct ftl_line_completions *completions)
{
    char alias[FTL_NAME_MAX];
    char app[FTL_NAME_MAX];
    size_t position = 0;
    shell_apps_each(shell, offer_app, completions);
    while (ftl_app_next_alias(&shell->image, &position, alias, app) == FTL_OK) {
        ftl_line_completions_add(completions, alias);
    }
}

/* Files whose names begin like the word; directories get a / . */
static void offer_files(const char *word, size_t size, struct ftl_line_completions *completions)
{
    char path[PATH_MAX];
    struct stat info;
    size_t directory = size;
    while (directory > 0 && word[directory - 1] != '/') {
        directory--;
    }
    snprintf(path, sizeof(path), "%.*s.", (int)directory, word);
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        bool is_hidden = entry->d_name[0] == '.' && (directory == size || word[directory] != '.');
        int length = snprintf(path, sizeof(path), "%.*s%s", (int)directory, word, entry->d_name);
        if (is_hidden || length < 0 || (size_t)length + 1 >= sizeof(path)) {
            continue;
        }
        if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
            strcat(path, "/");
        }
        ftl_line_completions_add(completions, path);
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

static void offer_jobs(const struct shell *shell, struct ftl_line_completions *completions)
{
    char text[24];
    for (size_t i = 0; i < SHELL_JOBS_MAX; i++) {
        const struct shell_children *children = &shell->jobs[i].children;
        if (children->count > 0) {
            snprintf(text, sizeof(text), "%%%zu", i + 1);
            ftl_line_completions_add(completions, text);
            snprintf(text, sizeof(text), "%" PRIu64, children->child[children->count - 1].pid);
            ftl_line_completions_add(completions, text);
        }
    }
}

/* Where the command starts that `line[word]` is in. Quotes are not looked at: this is only for
 * offers. */
static size_t command_start(const char *line, size_t word)
{
    size_t start = word;
    while (start > 0 && strchr(";&|({`", line[start - 1]) == NULL) {
        start--;
    }
    return start + strspn(line + start, " ");
}

void shell_complete(void *context, const char *line, size_t word, size_t cursor,
                    struct ftl_line_completions *completions)
{
    struct shell *shell = context;
    size_t start = command_start(line, word);
    char command[CONTEXT_MAX];

    if (start + strlen("time ") <= word && strncmp(line + start, "time ", strlen("time ")) == 0) {
        start += strlen("time ");
        start += strspn(line + start, " ");
    }
    if (start >= word) {
        offer_builtins(completions);
        offer_apps(shell, completions);
        offer_files(line + word, cursor - word, completions);
        return;
    }
    snprintf(command, sizeof(command), "%.*s", (int)strcspn(line + start, " "), line + start);
    if (strcmp(command, "run") == 0) {
        ftl_line_completions_add(completions, "--isolation=sandbox");
        ftl_line_completions_add(completions, "--isolation=user");
        offer_apps(shell, completions);
    } else if (strcmp(command, "help") == 0) {
        offer_builtins(completions);
    } else if (strcmp(command, "kill") == 0 || strcmp(command, "wait") == 0) {
        offer_jobs(shell, completions);
    } else {
        offer_files(line + word, cursor - word, completions);
    }
}
