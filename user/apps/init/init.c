/*
 * The first process. It starts the services, which today is the shell alone, and starts one again
 * when it ends. Relies on the handles `console`, `system` and `bootimage` of its environment; its
 * arguments are the words of the boot command line, which it passes on. It never ends by itself:
 * there would be nobody to notice.
 */
#include <ftl/clock.h>
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/object.h>
#include <ftl/process.h>
#include <ftl/spawn.h>
#include <ftl/thread.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NSEC_PER_MSEC INT64_C(1000000)

/* A service that ends sooner than this after its start is failing: the next start waits, ever
 * longer. */
#define SETTLED      (1000 * NSEC_PER_MSEC)
#define BACK_OFF_MIN (100 * NSEC_PER_MSEC)
#define BACK_OFF_MAX (10000 * NSEC_PER_MSEC)

struct service {
    const char *name;
    ftl_handle_t process; /* while it runs */
    uint64_t pid;
    ftl_nsec_t started;
    ftl_nsec_t back_off; /* how long the next start waits if this one fails */
};

struct init {
    struct ftl_bootimage image;
    struct ftl_spawn_handle handles[3];
    const char *const *bootargs;
    size_t bootarg_count;
};

static ftl_nsec_t now(void)
{
    ftl_nsec_t time = 0;
    ftl_clock_get(&time);
    return time;
}

/* ---- Starting ---- */

/* Arguments of a service: its name, then the boot arguments, as many as fit. */
#define ARGS_MAX 64

static size_t make_args(const struct init *init, const char *name, const char *args[ARGS_MAX])
{
    size_t count = 0;
    args[count++] = name;
    for (size_t i = 0; i < init->bootarg_count && count < ARGS_MAX; i++) {
        args[count++] = init->bootargs[i];
    }
    return count;
}

static ftl_status_t start(struct init *init, struct service *service, const char **step)
{
    const char *args[ARGS_MAX];
    struct ftl_app app;
    struct ftl_process_info info;

    *step = "reading its manifest";
    ftl_status_t status = ftl_app_find(&init->image, service->name, &app);
    if (status != FTL_OK) {
        return status;
    }
    struct ftl_spawn_options options = {
        .isolation = app.isolation,
        .args = args,
        .arg_count = make_args(init, service->name, args),
        .handles = init->handles,
        .handle_count = sizeof(init->handles) / sizeof(init->handles[0]),
    };
    ftl_isolation_of_app(init->bootargs, init->bootarg_count, app.name, &options.isolation);
    status = ftl_spawn(&init->image, &app, &options, &service->process, step);
    if (status != FTL_OK) {
        return status;
    }
    service->started = now();
    service->pid = ftl_process_info(service->process, &info) == FTL_OK ? info.pid : 0;
    return FTL_OK;
}

/* ---- Ending ---- */

static const char *meaning(int32_t status)
{
    switch (status) {
    case FTL_EXIT_FAULT: return "was stopped by a fault";
    case FTL_EXIT_INTERRUPTED: return "was interrupted";
    case FTL_EXIT_KILLED: return "was killed";
    default: return "ended";
    }
}

/* Waits for the service's end, and says how it ended. */
static void wait_for_end(struct service *service)
{
    struct ftl_wait_item item = { .handle = service->process, .interest = FTL_SIGNAL_EXITED };
    struct ftl_process_info info;
    size_t ready;
    ftl_status_t status = ftl_object_wait(&item, 1, FTL_TIME_INFINITE, &ready);
    if (status == FTL_OK) {
        status = ftl_process_info(service->process, &info);
    }
    if (status == FTL_OK) {
        printf("init: %s (pid %" PRIu64 ") %s (status %" PRId32 "); starting it again\n",
               service->name, service->pid, meaning(info.exit_status), info.exit_status);
    } else {
        printf("init: lost sight of %s: %s; starting it again\n", service->name,
               ftl_strerror(status));
    }
    ftl_handle_close(service->process);
}

/* Waits before the next start when the last one failed at once; each time twice as long. */
static void back_off(struct service *service)
{
    if (now() - service->started >= SETTLED) {
        service->back_off = BACK_OFF_MIN;
        return;
    }
    ftl_thread_sleep(now() + service->back_off);
    service->back_off *= 2;
    if (service->back_off > BACK_OFF_MAX) {
        service->back_off = BACK_OFF_MAX;
    }
}

static _Noreturn void keep_running(struct init *init, struct service *service)
{
    const char *step;
    for (;;) {
        ftl_status_t status = start(init, service, &step);
        if (status == FTL_OK) {
            wait_for_end(service);
        } else {
            printf("init: cannot start %s: %s: %s; trying again\n", service->name, step,
                   ftl_strerror(status));
            service->started = now();
        }
        back_off(service);
    }
}

int main(int argc, char **argv)
{
    struct service shell = { .name = "shell", .back_off = BACK_OFF_MIN };
    struct ftl_environ *env = ftl_environ();
    struct init init = {
        .handles = {
            { "console", ftl_environ_find(env, "console"), FTL_RIGHTS_SAME },
            { "system", ftl_environ_find(env, "system"), FTL_RIGHTS_SAME },
            { "bootimage", ftl_environ_find(env, "bootimage"), FTL_RIGHTS_SAME },
        },
    };
    if (argc > 1) {
        init.bootargs = (const char *const *)argv + 1;
        init.bootarg_count = (size_t)argc - 1;
    }
    ftl_status_t status = ftl_bootimage_open(&init.image, init.handles[2].handle);
    if (status != FTL_OK) {
        printf("init: cannot map the boot image: %s\n", ftl_strerror(status));
    }
    keep_running(&init, &shell);
}
