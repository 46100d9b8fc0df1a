/*
 * user/apps/init/services.c: when services are started, started again, and given up, and what
 * becomes of clients meanwhile. The system is a fake: handles are counted, processes end and timers
 * expire when the test says so, channels only remember who has the other end.
 */
#include "host/test.h"

#include <ftl/channel.h>
#include <ftl/clock.h>
#include <ftl/handle.h>
#include <ftl/process.h>
#include <ftl/timer.h>

#include "user/apps/init/devices.h"

#define MS      INT64_C(1000000)
#define HANDLES 200u
#define PID     7u

static struct {
    bool open[HANDLES];
    bool peer_closed[HANDLES]; /* of a channel's end, or whether the process holds it no more */
    ftl_nsec_t now;
    ftl_nsec_t timer; /* when it expires; -1: not set */
    ftl_status_t spawn_status;
    ftl_status_t find_status;
    struct ftl_app app;
    unsigned spawned;
    ftl_handle_t clients; /* where the service that was spawned last gets its clients from */
    unsigned passed_on;   /* clients sent to a service, or waiting for one */
    int32_t exit_status;
    struct ftl_source *process;
    struct ftl_source *timer_source;
    ftl_status_t give_status;
    bool driver_has_device; /* what it was given was not taken back yet */
    bool granted;           /* the process that was spawned last got it */
} fake;

static ftl_handle_t make_handle(void)
{
    ftl_handle_t handle = 1;
    while (fake.open[handle]) {
        handle++;
    }
    assert_true(handle < HANDLES);
    fake.open[handle] = true;
    fake.peer_closed[handle] = false;
    return handle;
}

static size_t open_handles(void)
{
    size_t count = 0;
    for (size_t i = 0; i < HANDLES; i++) {
        count += fake.open[i];
    }
    return count;
}

ftl_status_t ftl_handle_close(ftl_handle_t handle)
{
    assert_true(handle < HANDLES && fake.open[handle]);
    fake.open[handle] = false;
    return FTL_OK;
}

ftl_status_t ftl_handle_check(ftl_handle_t handle, uint32_t type, ftl_rights_t rights)
{
    (void)type;
    (void)rights;
    return fake.open[handle] ? FTL_OK : FTL_ERR_HANDLE_CLOSED;
}

ftl_status_t ftl_clock_get(ftl_nsec_t *now)
{
    *now = fake.now;
    return FTL_OK;
}

const char *ftl_strerror(ftl_status_t status)
{
    (void)status;
    return "some error";
}

/* The two ends are numbers in a row: `listen` first. */
ftl_status_t ftl_channel_create(uint64_t *second, ftl_handle_t *first)
{
    *second = make_handle();
    *first = make_handle();
    return FTL_OK;
}

ftl_status_t ftl_channel_send(ftl_handle_t channel, const struct ftl_message *message,
                              ftl_nsec_t deadline)
{
    assert_int_equal(deadline, 0);
    assert_true(fake.open[channel]);
    if (fake.peer_closed[channel]) {
        return FTL_ERR_PEER_CLOSED;
    }
    assert_int_equal(message->handle_count, 1);
    ftl_handle_close(message->handles[0]);
    fake.passed_on++;
    return FTL_OK;
}

ftl_status_t ftl_channel_call(ftl_handle_t channel, const struct ftl_message *request,
                              struct ftl_message *reply, ftl_nsec_t deadline)
{
    (void)reply;
    return ftl_channel_send(channel, request, deadline);
}

ftl_status_t ftl_channel_reply(ftl_handle_t channel, uint64_t transaction,
                               const struct ftl_message *message)
{
    (void)transaction;
    return ftl_channel_send(channel, message, 0);
}

ftl_status_t ftl_app_find(const struct ftl_bootimage *image, const char *name, struct ftl_app *app)
{
    (void)image;
    *app = fake.app;
    strcpy(app->name, name);
    return fake.find_status;
}

bool ftl_app_is_granted(const struct ftl_app *app, const char *name)
{
    return strcmp(name, "names") == 0 && app->uses[0] != '\0';
}

/* Some boot argument says so. */
bool ftl_isolation_of_app(const char *const *words, size_t count, const char *name,
                          ftl_isolation_t *isolation)
{
    (void)words;
    (void)name;
    if (count != 0) {
        *isolation = FTL_ISOLATION_USER;
    }
    return count != 0;
}

ftl_status_t names_connection(struct init *init, const struct ftl_app *app, ftl_handle_t *client)
{
    (void)init;
    (void)app;
    *client = make_handle();
    return FTL_OK;
}

ftl_status_t ftl_spawn(struct ftl_bootimage *image, const struct ftl_app *app,
                       const struct ftl_spawn_options *options, ftl_handle_t *process,
                       const char **step)
{
    (void)image;
    (void)app;
    *step = "loading its program";
    if (fake.spawn_status != FTL_OK) {
        return fake.spawn_status;
    }
    fake.clients = FTL_HANDLE_INVALID;
    fake.granted = false;
    for (size_t i = 0; i < options->handle_count; i++) {
        fake.granted |= strcmp(options->handles[i].name, "registers") == 0 &&
                        fake.open[options->handles[i].handle] && options->var_count == 1 &&
                        strcmp(options->vars[0], "device=it") == 0;
        if (strcmp(options->handles[i].name, "service") == 0) {
            fake.clients = options->handles[i].handle;
        }
    }
    fake.spawned++;
    *process = make_handle();
    return FTL_OK;
}

ftl_status_t ftl_process_info(ftl_handle_t process, struct ftl_process_info *info)
{
    assert_true(fake.open[process]);
    memset(info, 0, sizeof(*info));
    info->pid = PID;
    info->exit_status = fake.exit_status;
    return FTL_OK;
}

ftl_status_t ftl_process_kill(ftl_handle_t process, int32_t status)
{
    (void)process;
    (void)status;
    fail();
    return FTL_OK;
}

ftl_status_t ftl_timer_create(ftl_handle_t *timer)
{
    *timer = make_handle();
    return FTL_OK;
}

ftl_status_t ftl_timer_set(ftl_handle_t timer, ftl_nsec_t deadline, ftl_nsec_t period)
{
    (void)timer;
    assert_int_equal(period, 0);
    fake.timer = deadline;
    return FTL_OK;
}

ftl_status_t ftl_timer_cancel(ftl_handle_t timer)
{
    (void)timer;
    fake.timer = -1;
    return FTL_OK;
}

ftl_status_t ftl_mainloop_add(struct ftl_mainloop *loop, struct ftl_source *source,
                              ftl_handle_t handle, uint32_t interest, ftl_source_handler_t handler,
                              void *context)
{
    *source = (struct ftl_source){ handle, handler, context, loop, 0 };
    if (interest == FTL_SIGNAL_EXITED) {
        assert_null(fake.process);
        fake.process = source;
    } else {
        assert_null(fake.timer_source);
        fake.timer_source = source;
    }
    return FTL_OK;
}

void ftl_mainloop_remove(struct ftl_source *source)
{
    assert_ptr_equal(source, fake.process);
    fake.process = NULL;
}

ftl_status_t device_give(struct device *device, const struct ftl_app *app,
                         struct device_grants *grants)
{
    (void)device;
    (void)app;
    assert_null(fake.process);
    assert_false(fake.driver_has_device);
    fake.driver_has_device = true;
    grants->handles[0] = (struct ftl_spawn_handle){ "registers", make_handle(), FTL_RIGHTS_SAME };
    grants->handle_count = 1;
    grants->vars[0] = "device=it";
    grants->var_count = 1;
    return fake.give_status;
}

void device_given(struct device_grants *grants)
{
    for (size_t i = 0; i < grants->handle_count; i++) {
        ftl_handle_close(grants->handles[i].handle);
    }
}

void device_stop(struct device *device)
{
    (void)device;
    assert_null(fake.process);
    assert_true(fake.driver_has_device);
    fake.driver_has_device = false;
}

/* ---- What happens ---- */

static struct init init;
static struct service service;
static struct device device;

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    memset(&init, 0, sizeof(init));
    fake.timer = -1;
    fake.app.restart = FTL_RESTART_ON_FAILURE;
    service_init(&service, &init, "server", "protocol");
    return 0;
}

/* The process ends; init is told. */
static void end(int32_t status)
{
    assert_non_null(fake.process);
    fake.exit_status = status;
    fake.process->handler(fake.process, FTL_SIGNAL_EXITED);
}

static void expire(void)
{
    assert_int_not_equal(fake.timer, -1);
    fake.now = fake.timer;
    fake.timer_source->handler(fake.timer_source, FTL_SIGNAL_READABLE);
}

static ftl_status_t connect(void)
{
    return service_connect(&service, "protocol", "limits", make_handle());
}

/* Those of init: the sending end, the process, the timer if it was ever needed; no others. */
static void assert_no_leak(void)
{
    size_t wanted = (service.clients != FTL_HANDLE_INVALID) +
                    (service.listen != FTL_HANDLE_INVALID) + (fake.process != NULL) +
                    (fake.timer_source != NULL);
    assert_int_equal(open_handles(), wanted);
}

static void the_first_client_starts_the_service(void **state)
{
    (void)state;
    assert_int_equal(connect(), FTL_OK);
    assert_int_equal(connect(), FTL_OK);
    assert_int_equal(fake.spawned, 1);
    assert_int_equal(fake.passed_on, 2);
    assert_int_not_equal(fake.clients, FTL_HANDLE_INVALID);
    assert_int_equal(service.state, SERVICE_RUNNING);
    assert_int_equal(service.pid, PID);
    assert_no_leak();
}

static void policies_say_what_is_started_again(void **state)
{
    static const struct {
        ftl_restart_t restart;
        int32_t status;
        bool again;
    } cases[] = {
        { FTL_RESTART_NEVER, 0, false },      { FTL_RESTART_NEVER, FTL_EXIT_FAULT, false },
        { FTL_RESTART_ON_FAILURE, 0, false }, { FTL_RESTART_ON_FAILURE, 1, true },
        { FTL_RESTART_ALWAYS, 0, true },      { FTL_RESTART_ALWAYS, FTL_EXIT_KILLED, true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        set_up(state);
        fake.app.restart = cases[i].restart;
        assert_int_equal(connect(), FTL_OK);
        end(cases[i].status);
        assert_int_equal(service.state, cases[i].again ? SERVICE_WAITING : SERVICE_ENDED);
        assert_int_equal(connect(), cases[i].again ? FTL_OK : FTL_ERR_BAD_STATE);
        assert_no_leak();
    }
}

static void starts_after_early_ends_wait_ever_longer(void **state)
{
    static const ftl_nsec_t delays[] = { 0,         100 * MS,  200 * MS,  400 * MS,   800 * MS,
                                         1600 * MS, 3200 * MS, 6400 * MS, 10000 * MS, 10000 * MS };
    (void)state;
    assert_int_equal(connect(), FTL_OK);
    for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
        fake.now += 249 * MS;
        end(1);
        assert_int_equal(fake.timer - fake.now, delays[i]);
        expire();
        assert_int_equal(fake.spawned, i + 2);
    }
    fake.now += 250 * MS; /* now it got to its work */
    end(1);
    assert_int_equal(fake.timer, fake.now);
    expire();
    end(1); /* so this is a first failure again */
    assert_int_equal(fake.timer, fake.now);
    assert_no_leak();
}

static void after_a_start_that_fails_the_next_one_waits_longer(void **state)
{
    (void)state;
    assert_int_equal(connect(), FTL_OK);
    end(1);
    fake.spawn_status = FTL_ERR_NO_MEMORY;
    expire();
    assert_int_equal(fake.timer - fake.now, 100 * MS);
    expire();
    assert_int_equal(fake.timer - fake.now, 200 * MS);
    assert_no_leak();
}

static void a_service_that_worked_is_started_at_once_however_often(void **state)
{
    (void)state;
    assert_int_equal(connect(), FTL_OK);
    for (unsigned i = 0; i < 100; i++) {
        fake.now += 250 * MS;
        end(i % 2 == 0 ? FTL_EXIT_FAULT : FTL_EXIT_KILLED);
        assert_int_equal(fake.timer, fake.now);
        expire();
    }
    assert_int_equal(fake.spawned, 101);
    assert_no_leak();
}

static void kills_keep_clients_waiting_for_a_fifth_of_a_second_at_most(void **state)
{
    static const ftl_nsec_t delays[] = { 0, 100 * MS, 200 * MS, 200 * MS, 200 * MS };
    (void)state;
    assert_int_equal(connect(), FTL_OK);
    for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
        end(FTL_EXIT_KILLED);
        assert_int_equal(fake.timer - fake.now, delays[i]);
        expire();
    }
    assert_no_leak();
}

static void a_minute_makes_up_for_all_former_starts(void **state)
{
    (void)state;
    fake.app.restart_limit = 2;
    assert_int_equal(connect(), FTL_OK);
    for (unsigned i = 0; i < 5; i++) {
        fake.now += 60000 * MS;
        end(1);
        expire();
    }
    for (unsigned i = 0; i < 2; i++) {
        fake.now += 59000 * MS; /* not long enough to be well */
        end(1);
        if (i == 0) {
            expire();
        }
    }
    assert_int_equal(service.state, SERVICE_ENDED);
    assert_no_leak();
}

static void after_so_many_starts_it_is_given_up(void **state)
{
    (void)state;
    fake.app.restart_limit = 3;
    assert_int_equal(connect(), FTL_OK);
    for (unsigned i = 0; i < 3; i++) {
        end(1);
        expire();
    }
    end(1);
    assert_int_equal(fake.spawned, 4);
    assert_int_equal(service.state, SERVICE_ENDED);
    assert_int_equal(fake.timer, -1);
    assert_int_equal(connect(), FTL_ERR_BAD_STATE);
    assert_no_leak();
}

static void a_service_that_cannot_be_started_has_failed(void **state)
{
    (void)state;
    fake.spawn_status = FTL_ERR_NOT_VERIFIED;
    fake.app.restart_limit = 1;
    strcpy(fake.app.uses, "another");
    assert_int_equal(connect(), FTL_OK); /* it waits, and will see its end closed */
    assert_int_equal(service.state, SERVICE_WAITING);
    assert_no_leak();
    expire();
    assert_int_equal(service.state, SERVICE_ENDED);
    assert_int_equal(service.clients, FTL_HANDLE_INVALID);
    assert_no_leak();
}

static void without_a_manifest_a_service_stays_ended_and_the_shell_does_not(void **state)
{
    (void)state;
    fake.find_status = FTL_ERR_BAD_FORMAT;
    assert_int_equal(connect(), FTL_OK);
    assert_int_equal(service.state, SERVICE_ENDED);
    assert_no_leak();
    service_init(&service, &init, "shell", "");
    service_start(&service);
    assert_int_equal(service.state, SERVICE_WAITING);
    fake.find_status = FTL_OK;
    fake.app.restart = FTL_RESTART_ALWAYS;
    expire();
    assert_int_equal(service.state, SERVICE_RUNNING);
    assert_int_equal(fake.clients, FTL_HANDLE_INVALID); /* it has no clients */
    assert_no_leak();
}

/*
 * Who comes while it is not running is served by the next instance, however init hears of the end.
 */
static void clients_wait_for_the_next_instance(void **state)
{
    (void)state;
    assert_int_equal(connect(), FTL_OK);
    ftl_handle_t former = service.clients;
    fake.peer_closed[former] = true; /* it has ended, and nobody has told init yet */
    assert_int_equal(connect(), FTL_OK);
    ftl_handle_t waiting = service.listen;
    assert_int_not_equal(waiting, FTL_HANDLE_INVALID);
    end(1);
    assert_int_equal(service.listen, waiting);
    assert_int_equal(connect(), FTL_OK);
    expire();
    assert_int_equal(fake.clients, waiting);
    assert_int_equal(fake.passed_on, 3);
    assert_no_leak();
}

/* The fakes see to it that a device is stopped exactly once between two drivers. */
static void a_device_is_stopped_when_its_driver_has_ended(void **state)
{
    (void)state;
    service.device = &device;
    assert_int_equal(connect(), FTL_OK);
    assert_true(fake.granted && fake.driver_has_device);
    assert_no_leak();
    end(FTL_EXIT_KILLED);
    assert_false(fake.driver_has_device);
    expire();
    assert_true(fake.granted && fake.driver_has_device);
    assert_no_leak();
}

static void a_device_is_stopped_when_its_driver_cannot_start(void **state)
{
    (void)state;
    service.device = &device;
    fake.spawn_status = FTL_ERR_NO_MEMORY;
    assert_int_equal(connect(), FTL_OK);
    assert_int_equal(service.state, SERVICE_WAITING);
    assert_false(fake.driver_has_device);
    fake.spawn_status = FTL_OK;
    fake.give_status = FTL_ERR_EXISTS;
    expire();
    assert_int_equal(service.state, SERVICE_WAITING);
    assert_int_equal(fake.spawned, 0);
    assert_false(fake.driver_has_device);
    assert_no_leak();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_first_client_starts_the_service, set_up),
        cmocka_unit_test_setup(policies_say_what_is_started_again, set_up),
        cmocka_unit_test_setup(starts_after_early_ends_wait_ever_longer, set_up),
        cmocka_unit_test_setup(after_a_start_that_fails_the_next_one_waits_longer, set_up),
        cmocka_unit_test_setup(a_service_that_worked_is_started_at_once_however_often, set_up),
        cmocka_unit_test_setup(kills_keep_clients_waiting_for_a_fifth_of_a_second_at_most, set_up),
        cmocka_unit_test_setup(a_minute_makes_up_for_all_former_starts, set_up),
        cmocka_unit_test_setup(after_so_many_starts_it_is_given_up, set_up),
        cmocka_unit_test_setup(a_service_that_cannot_be_started_has_failed, set_up),
        cmocka_unit_test_setup(without_a_manifest_a_service_stays_ended_and_the_shell_does_not,
                               set_up),
        cmocka_unit_test_setup(clients_wait_for_the_next_instance, set_up),
        cmocka_unit_test_setup(a_device_is_stopped_when_its_driver_has_ended, set_up),
        cmocka_unit_test_setup(a_device_is_stopped_when_its_driver_cannot_start, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
