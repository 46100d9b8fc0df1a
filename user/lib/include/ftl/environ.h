/*
 * The environment of a process: its arguments, variables and named handles, all that it can reach.
 * The reader works on the blob that the process got at its start, the writer makes one for a new
 * process. Layout: <ftl/environ_format.h>. Needs no C library beyond memory and string functions.
 */
#ifndef FTL_ENVIRON_H
#define FTL_ENVIRON_H

#include <ftl/environ_format.h>
#include <ftl/status.h>

/* A blob that was checked. The members are the reader's own. */
struct ftl_environ {
    struct ftl_environ_handle *handles;
    size_t handle_count;
    const char *args;
    size_t arg_count;
    const char *vars;
    size_t var_count;
};

/*
 * Checks the whole blob of `size` bytes (8-byte aligned, kept by the caller as long as `env` is in
 * use) and sets up `env`: after FTL_OK no function below can leave the blob. BAD_FORMAT when it is
 * malformed in any way, `env` is then empty.
 */
ftl_status_t ftl_environ_open(struct ftl_environ *env, void *blob, size_t size);

/* The calling process's own environment, set up before main(). */
struct ftl_environ *ftl_environ(void);

/*
 * Takes the handle `name` out of the environment: the caller owns it from now on. Each one can be
 * taken once; FTL_HANDLE_INVALID when there is none (left). Any thread may call it.
 */
ftl_handle_t ftl_environ_take(struct ftl_environ *env, const char *name);

/* Like take, but leaves the handle in the environment: the caller must not close it. */
ftl_handle_t ftl_environ_find(const struct ftl_environ *env, const char *name);

/* The argument at `index` (0 is the program's name), NULL past the last one. */
const char *ftl_environ_arg(const struct ftl_environ *env, size_t index);

/* The "NAME=value" string at `index`, NULL past the last one. */
const char *ftl_environ_var(const struct ftl_environ *env, size_t index);

/* What ftl_environ_write() puts into a blob. All is only read. */
struct ftl_environ_content {
    const char *const *args;
    size_t arg_count;
    const char *const *vars; /* "NAME=value" */
    size_t var_count;
    const struct ftl_environ_handle *handles; /* names end in NUL */
    size_t handle_count;
};

/*
 * Writes a blob into `buffer` (8-byte aligned, `capacity` bytes, FTL_ENVIRON_MAX is enough for all
 * that a process accepts) and its size into `size`. LIMIT when it does not fit, INVALID_ARGUMENT
 * for a handle without a name or a variable without '='.
 */
ftl_status_t ftl_environ_write(void *buffer, size_t capacity,
                               const struct ftl_environ_content *content, size_t *size);

#endif
