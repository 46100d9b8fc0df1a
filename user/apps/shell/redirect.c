/* Redirections: descriptors of the shell itself are changed, and changed back. */
#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shell.h"

#define COPIES_FROM 10 /* descriptors that no redirection can name */
#define NEW_MODE    0666

static bool is_saved(const struct shell_saved *saved, int descriptor)
{
    for (size_t i = 0; i < saved->count; i++) {
        if (saved->entry[i].descriptor == descriptor) {
            return true;
        }
    }
    return false;
}

static void note(struct shell_saved *saved, int descriptor, int copy)
{
    saved->entry[saved->count].descriptor = descriptor;
    saved->entry[saved->count].copy = copy;
    saved->count++;
}

/* Keeps what the descriptor names, unless that has been done. */
static bool save(struct shell_saved *saved, int descriptor)
{
    if (is_saved(saved, descriptor)) {
        return true;
    }
    int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, COPIES_FROM);
    if (copy < 0 && errno != EBADF) {
        return false;
    }
    note(saved, descriptor, copy);
    return true;
}

static void flush(void)
{
    fflush(stdout);
    fflush(stderr);
}

bool shell_redirect_to(struct shell_saved *saved, int descriptor, int from)
{
    flush();
    if (from == descriptor) { /* it was free */
        if (!is_saved(saved, descriptor)) {
            note(saved, descriptor, -1);
        }
        return fcntl(descriptor, F_SETFD, 0) == 0;
    }
    bool ok = save(saved, descriptor) && dup2(from, descriptor) >= 0;
    close(from);
    return ok;
}

void shell_redirect_back(struct shell_saved *saved)
{
    flush();
    while (saved->count > 0) {
        saved->count--;
        int descriptor = saved->entry[saved->count].descriptor;
        int copy = saved->entry[saved->count].copy;
        if (copy < 0) {
            close(descriptor);
        } else {
            dup2(copy, descriptor);
            close(copy);
        }
    }
}

void shell_redirect_for_good(struct shell_saved *saved)
{
    flush();
    while (saved->count > 0) {
        saved->count--;
        if (saved->entry[saved->count].copy >= 0) {
            close(saved->entry[saved->count].copy);
        }
    }
}

/* ---- Kinds ---- */

static bool open_file(struct shell_saved *saved, int descriptor, const char *path, int flags)
{
    int opened = open(path, flags | O_CLOEXEC, NEW_MODE);
    if (opened < 0 || !shell_redirect_to(saved, descriptor, opened)) {
        fprintf(stderr, "shell: cannot open %s: %s\n", path, strerror(errno));
        return false;
    }
    return true;
}

/* N>&M, N>&- */
static bool duplicate(struct shell_saved *saved, int descriptor, const char *target)
{
    uint64_t number;
    flush();
    if (strcmp(target, "-") == 0) {
        if (!save(saved, descriptor)) {
            fprintf(stderr, "shell: cannot close %d: %s\n", descriptor, strerror(errno));
            return false;
        }
        close(descriptor);
        return true;
    }
    if (!shell_parse_number(target, COPIES_FROM - 1, &number)) {
        fprintf(stderr, "shell: '%s' is no descriptor: a digit or -\n", target);
        return false;
    }
    if (!save(saved, descriptor) || dup2((int)number, descriptor) < 0) {
        fprintf(stderr, "shell: cannot use descriptor %s: %s\n", target, strerror(errno));
        return false;
    }
    return true;
}

/*
 * A pipe holds what fits into it without a reader. More needs somebody who writes while the command
 * reads: a shell beside this one.
 */
static bool here_document(struct shell *shell, struct shell_saved *saved,
                          const struct shell_redirection *here)
{
    struct shell_error error;
    int ends[2];
    char *text = shell_expand_here(&shell->source, here, &error);
    if (text == NULL) {
        fprintf(stderr, "shell: %s\n", error.text);
        return false;
    }
    size_t size = strlen(text);
    bool ok = pipe2(ends, O_CLOEXEC) == 0;
    if (ok) {
        fcntl(ends[1], F_SETFL, O_NONBLOCK);
        ok = write(ends[1], text, size) == (ssize_t)size;
        close(ends[1]);
        ok = shell_redirect_to(saved, here->descriptor, ends[0]) && ok;
    }
    if (!ok) {
        fprintf(stderr, "shell: here-document of %zu bytes does not fit into a pipe\n", size);
    }
    free(text);
    return ok;
}

static bool redirect(struct shell *shell, struct shell_saved *saved,
                     const struct shell_redirection *redirection)
{
    struct shell_error error;
    if (redirection->kind == SHELL_HERE) {
        return here_document(shell, saved, redirection);
    }
    char *target = shell_expand_text(&shell->source, redirection->target, &error);
    if (target == NULL) {
        fprintf(stderr, "shell: %s\n", error.text);
        return false;
    }
    bool ok = false;
    switch (redirection->kind) {
    case SHELL_READ: ok = open_file(saved, redirection->descriptor, target, O_RDONLY); break;
    case SHELL_WRITE:
        ok = open_file(saved, redirection->descriptor, target, O_WRONLY | O_CREAT | O_TRUNC);
        break;
    case SHELL_APPEND:
        ok = open_file(saved, redirection->descriptor, target, O_WRONLY | O_CREAT | O_APPEND);
        break;
    case SHELL_DUPLICATE: ok = duplicate(saved, redirection->descriptor, target); break;
    case SHELL_HERE: break;
    }
    free(target);
    return ok;
}

bool shell_redirect(struct shell *shell, const struct shell_redirection *redirections,
                    struct shell_saved *saved)
{
    saved->count = 0;
    for (; redirections != NULL; redirections = redirections->next) {
        if (!redirect(shell, saved, redirections)) {
            shell_redirect_back(saved);
            return false;
        }
    }
    return true;
}
