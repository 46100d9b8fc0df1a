/*
 * Services: how they are started, and started again. A service gets its clients through a channel
 * whose sending end init keeps. While the service is not running, clients wait in that channel; if
 * it ends, those that it has not taken yet are dropped with the channel, and connect again as all
 * its clients do.
 */
#include <ftl/channel.h>
#include <ftl/clock.h>
#include <ftl/handle.h>
#include <ftl/process.h>
#include <ftl/protocols/service.h>
#include <ftl/timer.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "devices.h"

#define NSEC_PER_MSEC INT64_C(1000000)

/* A service that has run this long is well: it has been started again 0 times in a row. */
#define SETTLED (60000 * NSEC_PER_MSEC)
/* One that has run this long has got to its work: it is started again at once, whatever ended it.
 * So those that never fail sooner are started four times a second, at most. */
#define EARLY (250 * NSEC_PER_MSEC)
/* How long the start after a second early end in a row waits; every further one twice as long, up
 * to the maximum. A kill is not the service's own failure, and its clients wait meanwhile. */
#define BACK_OFF_MIN        (100 * NSEC_PER_MSEC)
#define BACK_OFF_MAX        (10000 * NSEC_PER_MSEC)
#define BACK_OFF_KILLED_MAX (200 * NSEC_PER_MSEC)

static void on_timer(struct ftl_source *source, uint32_t signals);
static void on_process(struct ftl_source *source, uint32_t signals);

static ftl_nsec_t now(void)
{
    ftl_nsec_t time = 0;
    ftl_clock_get(&time);
    return time;
}

void service_init(struct service *service, struct init *init, const char *app,
                  const char *protocols)
{
    memset(service, 0, sizeof(*service));
    strcpy(service->app, app);
    strcpy(service->protocols, protocols);
    service->init = init;
    /* Until its manifest was read; there is no use of a system without a shell. */
    service->restart = protocols[0] == '\0' ? FTL_RESTART_ALWAYS : FTL_RESTART_NEVER;
}

/* ---- Clients ---- */

static void close_clients(struct service *service)
{
    ftl_ipc_drop(&service->clients);
    ftl_ipc_drop(&service->listen);
}

/* Makes a channel for clients of the next instance, if there is none yet. */
static ftl_status_t open_clients(struct service *service)
{
    if (service->clients != FTL_HANDLE_INVALID || service->protocols[0] == '\0') {
        return FTL_OK;
    }
    return ftl_channel_create(&service->listen, &service->clients);
}

/* Passes the client on, which the caller keeps if that fails. */
static ftl_status_t pass_on(struct service *service, const char *protocol, const char *limits,
                            ftl_handle_t client)
{
    struct service_connected_message message = { protocol, limits, client };
    struct service_buffer buffer;
    ftl_status_t status = open_clients(service);
    return status == FTL_OK ? service_connected(service->clients, &message, &buffer, 0) : status;
}

ftl_status_t service_connect(struct service *service, const char *protocol, const char *limits,
                             ftl_handle_t client)
{
    ftl_status_t status = FTL_ERR_BAD_STATE;
    if (service->state != SERVICE_ENDED) {
        status = pass_on(service, protocol, limits, client);
    }
    if (status == FTL_ERR_PEER_CLOSED) { /* it has just ended, and we have yet to hear of it */
        close_clients(service);
        status = pass_on(service, protocol, limits, client);
    }
    if (status != FTL_OK) {
        ftl_handle_close(client);
        return status;
    }
    if (service->state == SERVICE_NOT_STARTED) {
        service_start(service);
    }
    return FTL_OK;
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

/* Handles that every service is offered. */
#define OFFERS 8

/* Starts the app with the handles that its manifest asks for, and those of its device. */
static ftl_status_t spawn(struct service *service, const struct ftl_app *app, ftl_handle_t names,
                          const struct device_grants *device, const char **step)
{
    struct init *init = service->init;
    const char *args[ARGS_MAX];
    struct ftl_spawn_handle handles[OFFERS +
                                    sizeof(device->handles) / sizeof(device->handles[0])] = {
        { "console", init->console, FTL_RIGHTS_SAME },
        { "system", init->system, FTL_RIGHTS_SAME },
        { "clock", init->system, FTL_RIGHT_WRITE | FTL_RIGHT_TRANSFER }, /* may set it, no more */
        { "statistics", init->system, FTL_RIGHT_READ | FTL_RIGHT_TRANSFER }, /* may only look */
        { "bootimage", init->image.vmo, FTL_RIGHTS_SAME },
        { "files", init->image.vmo, FTL_RIGHT_READ | FTL_RIGHT_MAP | FTL_RIGHT_TRANSFER },
        { "names", names, FTL_RIGHTS_SAME },
        { "service", service->listen, FTL_RIGHTS_SAME },
    };
    memcpy(handles + OFFERS, device->handles, device->handle_count * sizeof(handles[0]));
    struct ftl_spawn_options options = {
        .isolation = app->isolation,
        .args = args,
        .arg_count = make_args(init, app->name, args),
        .vars = device->vars,
        .var_count = device->var_count,
        .handles = handles,
        .handle_count = OFFERS + device->handle_count,
    };
    ftl_isolation_of_app(init->bootargs, init->bootarg_count, app->name, &options.isolation);
    return ftl_spawn(&init->image, app, &options, &service->process.handle, step);
}

/* The same for a driver, with what belongs to its device. */
static ftl_status_t spawn_with_device(struct service *service, const struct ftl_app *app,
                                      ftl_handle_t names, const char **step)
{
    struct device_grants grants = { .handle_count = 0, .var_count = 0 };
    ftl_status_t status = FTL_OK;
    *step = "taking its device";
    if (service->device != NULL) {
        status = device_give(service->device, app, &grants);
    }
    if (status == FTL_OK) {
        status = spawn(service, app, names, &grants, step);
    }
    device_given(&grants);
    if (status != FTL_OK && service->device != NULL) {
        device_stop(service->device);
    }
    return status;
}

static ftl_status_t try_start(struct service *service, const char **step)
{
    struct init *init = service->init;
    struct ftl_process_info info;
    struct ftl_app app;
    ftl_handle_t names = FTL_HANDLE_INVALID;
    ftl_handle_t process;

    *step = "reading its manifest";
    ftl_status_t status = ftl_app_find(&init->image, service->app, &app);
    if (status != FTL_OK) {
        return status;
    }
    service->restart = app.restart;
    service->restart_limit = app.restart_limit;
    *step = "making its channels";
    status = open_clients(service);
    if (status == FTL_OK && ftl_app_is_granted(&app, "names")) {
        status = names_connection(init, &app, &names);
    }
    if (status != FTL_OK) {
        return status;
    }
    status = spawn_with_device(service, &app, names, step);
    ftl_ipc_drop(&names); /* it has its own by now */
    if (status != FTL_OK) {
        return status;
    }
    ftl_ipc_drop(&service->listen);
    process = service->process.handle;
    service->pid = ftl_process_info(process, &info) == FTL_OK ? info.pid : 0;
    service->started = now();
    *step = "watching it";
    status = ftl_mainloop_add(&init->loop, &service->process, process, FTL_SIGNAL_EXITED,
                              on_process, service);
    if (status != FTL_OK) { /* it must not run unseen */
        ftl_process_kill(process, FTL_EXIT_KILLED);
        ftl_handle_close(process);
    }
    return status;
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

/* How long the next start waits after so many early ends in a row, and an end with this status. */
static ftl_nsec_t back_off(uint32_t early_ends, int32_t status)
{
    ftl_nsec_t delay = BACK_OFF_MIN;
    ftl_nsec_t maximum = status == FTL_EXIT_KILLED ? BACK_OFF_KILLED_MAX : BACK_OFF_MAX;
    if (early_ends <= 1) {
        return 0;
    }
    for (uint32_t i = 2; i < early_ends && delay < maximum; i++) {
        delay *= 2;
    }
    return delay < maximum ? delay : maximum;
}

/* Counts what its run of this length says of the service. */
static void note_run(struct service *service, ftl_nsec_t length)
{
    service->early_ends = length < EARLY ? service->early_ends + 1 : 0;
    if (length >= SETTLED) {
        service->restarts = 0;
    }
}

/* Has the service's timer start it after a while. */
static ftl_status_t start_later(struct service *service, ftl_nsec_t delay)
{
    ftl_status_t status = FTL_OK;
    if (service->timer.handle == FTL_HANDLE_INVALID) {
        ftl_handle_t timer;
        status = ftl_timer_create(&timer);
        if (status != FTL_OK) {
            return status;
        }
        status = ftl_mainloop_add(&service->init->loop, &service->timer, timer, FTL_SIGNAL_READABLE,
                                  on_timer, service);
        if (status != FTL_OK) {
            ftl_handle_close(timer);
            service->timer.handle = FTL_HANDLE_INVALID;
            return status;
        }
    }
    return ftl_timer_set(service->timer.handle, now() + delay, 0);
}

/* What comes after an end with this status (-1: it could not be started), and what to call that. */
static const char *decide(struct service *service, int32_t status)
{
    bool wanted = service->restart == FTL_RESTART_ALWAYS ||
                  (service->restart == FTL_RESTART_ON_FAILURE && status != 0);
    service->state = SERVICE_ENDED;
    if (!wanted) {
        return "it stays ended";
    }
    if (service->restart_limit != 0 && service->restarts >= service->restart_limit) {
        return "it has been started again too often, and stays ended";
    }
    if (start_later(service, back_off(service->early_ends, status)) != FTL_OK) {
        return "it cannot be started again";
    }
    service->restarts++;
    service->state = SERVICE_WAITING;
    return "starting it again";
}

/*
 * Clients that the service has not taken connect again; those that came after its end wait for the
 * next instance, or see that there will be none.
 */
static void after_end(struct service *service)
{
    if (service->state == SERVICE_ENDED || service->listen == FTL_HANDLE_INVALID) {
        close_clients(service);
    }
    fflush(stdout);
}

static void on_process(struct ftl_source *source, uint32_t signals)
{
    struct service *service = source->context;
    struct ftl_process_info info = { .exit_status = FTL_EXIT_KILLED };
    (void)signals;
    ftl_mainloop_remove(source);
    ftl_process_info(source->handle, &info);
    ftl_handle_close(source->handle);
    if (service->device != NULL) {
        device_stop(service->device);
    }
    note_run(service, now() - service->started);
    printf("init: %s (pid %" PRIu64 ") %s (status %" PRId32 "); %s\n", service->app, service->pid,
           meaning(info.exit_status), info.exit_status, decide(service, info.exit_status));
    after_end(service);
}

void service_start(struct service *service)
{
    const char *step;
    ftl_status_t status = try_start(service, &step);
    if (status == FTL_OK) {
        service->state = SERVICE_RUNNING;
        return;
    }
    note_run(service, 0);
    printf("init: cannot start %s: %s: %s; %s\n", service->app, step, ftl_strerror(status),
           decide(service, -1));
    after_end(service);
}

static void on_timer(struct ftl_source *source, uint32_t signals)
{
    struct service *service = source->context;
    (void)signals;
    ftl_timer_cancel(source->handle);
    service_start(service);
}
