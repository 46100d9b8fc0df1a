/*
 * Unit tests of the shell's commands, against a fake system: apps, processes that end at once or
 * when killed, a console whose Ctrl-C the test presses, a clock that stands still unless waited
 * for. Descriptors and files are the host's; shells beside the shell, and the app `copy`, are
 * processes of the host.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <ftl/clock.h>
#include <ftl/console.h>
#include <ftl/handle.h>
#include <ftl/inherit_spawn.h>
#include <ftl/notification.h>
#include <ftl/object.h>
#include <ftl/process.h>
#include <ftl/protocols/file.h>
#include <ftl/protocols/mount.h>
#include <ftl/protocols/names.h>
#include <ftl/server.h>
#include <ftl/signals.h>
#include <ftl/system.h>
#include <ftl/thread.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>

#include "user/apps/shell/shell.h"

/* ---- The fake system ---- */

#define PROCESSES_MAX 64
#define CONSOLE       ((ftl_handle_t)1)
#define SYSTEM        ((ftl_handle_t)2)
#define BOOTIMAGE     ((ftl_handle_t)3)
#define NAMES         ((ftl_handle_t)4)
#define APP_NAMES     ((ftl_handle_t)5)
#define FILES         ((ftl_handle_t)6)
#define SCRIPT        ((ftl_handle_t)7) /* the memory that is given to a shell */
#define SIGNALS       ((ftl_handle_t)8)
#define INTERRUPTS    ((ftl_handle_t)9)
#define MOUNTS        ((ftl_handle_t)10)
#define VMSPACE       ((ftl_handle_t)11)
#define FIRST_PROCESS ((ftl_handle_t)20) /* + index * HANDLES + duplicate */
#define HANDLES       100

static struct {
    struct ftl_process_info processes[PROCESSES_MAX]; /* by pid - 1 */
    pid_t host[PROCESSES_MAX];                        /* those that are the host's */
    char *script;
    size_t script_size;
    char mounts[100]; /* what the file server was asked for */
    size_t process_count;
    size_t open_handles; /* to processes */
    bool interrupt;
    int interrupt_after_waits; /* press Ctrl-C in the wait after so many; -1: never */
    ftl_nsec_t now;
    ftl_isolation_t last_isolation;
    uint32_t power_action;
    uint32_t power_status;
    bool has_files; /* the file server runs */
    ftl_status_t sync_status;
    unsigned syncs;
    ftl_status_t spawn_status;
    ftl_status_t names_status; /* of connecting an app to the name service */
    unsigned names_made;
    unsigned names_dropped;
    const char *log;
} fake;

static const char *const app_names[] = { "hello", "loop", "fault", "copy", "shell", "program" };
#define APPS 6

static struct ftl_process_info *process_of(ftl_handle_t handle)
{
    assert_in_range(handle, FIRST_PROCESS, FIRST_PROCESS + PROCESSES_MAX * HANDLES);
    return &fake.processes[(handle - FIRST_PROCESS) / HANDLES];
}

static ftl_handle_t open_process(size_t index)
{
    fake.open_handles++;
    return FIRST_PROCESS + index * HANDLES;
}

/* `sh` is an alias. */
ftl_status_t ftl_app_find(const struct ftl_bootimage *image, const char *name, struct ftl_app *app)
{
    size_t position = 0;
    ftl_status_t status;
    if (strcmp(name, "sh") == 0) {
        name = "shell";
    }
    do {
        status = ftl_app_next(image, &position, app);
    } while (status == FTL_OK && strcmp(app->name, name) != 0);
    return status;
}

ftl_status_t ftl_app_next(const struct ftl_bootimage *image, size_t *position, struct ftl_app *app)
{
    assert_int_equal(image->vmo, BOOTIMAGE);
    if (*position == APPS) {
        return FTL_ERR_NOT_FOUND;
    }
    memset(app, 0, sizeof(*app));
    strcpy(app->name, app_names[*position]);
    strcpy(app->program, app->name);
    snprintf(app->description, sizeof(app->description), "app number %zu", ++*position);
    return FTL_OK;
}

bool ftl_isolation_of_app(const char *const *words, size_t count, const char *name,
                          ftl_isolation_t *isolation)
{
    if (count == 1 && strcmp(words[0], "ftl.isolation.loop=user") == 0 &&
        strcmp(name, "loop") == 0) {
        *isolation = FTL_ISOLATION_USER;
        return true;
    }
    return false;
}

bool ftl_isolation_parse(const char *text, ftl_isolation_t *isolation)
{
    *isolation = strcmp(text, "user") == 0 ? FTL_ISOLATION_USER : FTL_ISOLATION_SANDBOX;
    return strcmp(text, "user") == 0 || strcmp(text, "sandbox") == 0;
}

const char *ftl_isolation_name(ftl_isolation_t isolation)
{
    return isolation == FTL_ISOLATION_USER ? "user" : "sandbox";
}

/* What is offered under the name. */
static ftl_handle_t offered(const struct ftl_spawn_options *options, const char *name)
{
    for (size_t i = 0; i < options->handle_count; i++) {
        if (strcmp(options->handles[i].name, name) == 0) {
            return options->handles[i].handle;
        }
    }
    return FTL_HANDLE_INVALID;
}

ftl_status_t ftl_app_next_alias(const struct ftl_bootimage *image, size_t *position,
                                char alias[FTL_NAME_MAX], char app[FTL_NAME_MAX])
{
    assert_int_equal(image->vmo, BOOTIMAGE);
    strcpy(alias, "hi");
    strcpy(app, "hello");
    return (*position)++ == 0 ? FTL_OK : FTL_ERR_NOT_FOUND;
}

bool ftl_app_is_granted(const struct ftl_app *app, const char *name)
{
    assert_string_equal(name, "interrupts");
    return strcmp(app->name, "shell") == 0;
}

static int32_t run_beside(const struct ftl_spawn_options *options);

/* What copies its input to its output, with the arguments in front. */
static int32_t run_copy(const struct ftl_spawn_options *options)
{
    char c;
    for (size_t i = 1; i < options->arg_count; i++) {
        dprintf(STDOUT_FILENO, "%s\n", options->args[i]);
    }
    for (size_t i = 0; i < options->var_count; i++) {
        dprintf(STDOUT_FILENO, "%s\n", options->vars[i]);
    }
    while (read(STDIN_FILENO, &c, 1) == 1) {
        if (write(STDOUT_FILENO, &c, 1) != 1) {
            return 1;
        }
    }
    return 0;
}

static void start_on_host(size_t index, const struct ftl_app *app,
                          const struct ftl_spawn_options *options)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int32_t status = strcmp(app->name, "copy") == 0 ? run_copy(options) : run_beside(options);
        fflush(NULL);
        _exit(status);
    }
    fake.host[index] = pid;
}

/* Sees whether a process of the host has ended, or waits for that. */
static void look_at_host(size_t index, bool wait)
{
    int status;
    if (fake.host[index] != 0 && waitpid(fake.host[index], &status, wait ? 0 : WNOHANG) > 0) {
        fake.host[index] = 0;
        fake.processes[index].state = FTL_PROCESS_EXITED;
        fake.processes[index].exit_status =
            WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
}

ftl_status_t ftl_spawn_inheriting(struct ftl_bootimage *image, const struct ftl_app *app,
                                  const struct ftl_spawn_options *options, ftl_handle_t *process,
                                  ftl_handle_t *signals, const char **step)
{
    size_t index = fake.process_count;
    struct ftl_process_info *info = &fake.processes[index];
    (void)image;
    *step = "loading its program";
    if (fake.spawn_status != FTL_OK) {
        return fake.spawn_status;
    }
    if (options->file == NULL && strcmp(app->name, "shell") != 0) {
        assert_string_equal(options->args[0], app->name);
    }
    assert_int_equal(offered(options, "console"), CONSOLE);
    assert_int_equal(offered(options, "names"),
                     strcmp(app->name, "loop") != 0 ? APP_NAMES : FTL_HANDLE_INVALID);
    assert_int_equal(fake.names_made, fake.names_dropped + (strcmp(app->name, "loop") != 0));
    assert_true(fake.process_count < PROCESSES_MAX);
    strcpy(info->name, app->name);
    info->pid = fake.process_count + 1;
    info->isolation = options->isolation;
    info->cpu_time = 5000000;
    info->state = FTL_PROCESS_RUNNING;
    if (options->file != NULL) { /* ELF and its status */
        const char *data = options->file->data;
        assert_string_equal(app->program, "program");
        info->state = FTL_PROCESS_EXITED;
        info->exit_status = atoi(data + 4) + (int)options->arg_count;
    } else if (strcmp(app->name, "copy") == 0 || strcmp(app->name, "shell") == 0) {
        start_on_host(index, app, options);
    } else if (strcmp(app->name, "loop") != 0) {
        info->state = FTL_PROCESS_EXITED;
        info->exit_status = strcmp(app->name, "fault") == 0 ? FTL_EXIT_FAULT
                            : options->arg_count > 1        ? atoi(options->args[1])
                                                            : 0;
    }
    fake.last_isolation = options->isolation;
    *process = open_process(fake.process_count++);
    *signals = SIGNALS;
    return FTL_OK;
}

ftl_status_t ftl_signals_send(ftl_handle_t process, ftl_handle_t signals, int number)
{
    assert_int_equal(signals, SIGNALS);
    return ftl_process_kill(process, 128 + number);
}

ftl_status_t ftl_notification_create(ftl_handle_t *notification)
{
    *notification = INTERRUPTS;
    return FTL_OK;
}

/* Shells take no notice, and are ended. */
ftl_status_t ftl_notification_signal(ftl_handle_t notification, uint64_t bits)
{
    assert_int_equal(notification, INTERRUPTS);
    assert_int_equal(bits, 1);
    return FTL_OK;
}

ftl_status_t ftl_notification_clear(ftl_handle_t notification, uint64_t mask, uint64_t *former)
{
    assert_int_equal(notification, INTERRUPTS);
    *former = mask == 0;
    return FTL_OK;
}

ftl_status_t ftl_vmo_create(uint64_t size, ftl_handle_t *vmo)
{
    free(fake.script);
    fake.script = calloc(size, 1);
    fake.script_size = size;
    *vmo = SCRIPT;
    return FTL_OK;
}

ftl_status_t ftl_vmo_write(ftl_handle_t vmo, uint64_t offset, const void *data, size_t size)
{
    assert_int_equal(vmo, SCRIPT);
    memcpy(fake.script + offset, data, size);
    return FTL_OK;
}

ftl_status_t ftl_vmspace_self(ftl_handle_t *vmspace)
{
    *vmspace = VMSPACE;
    return FTL_OK;
}

ftl_status_t ftl_vmspace_map(ftl_handle_t vmspace, ftl_handle_t vmo, uint64_t offset, size_t size,
                             uint32_t permissions, uintptr_t address, uintptr_t *mapped)
{
    assert_int_equal(vmspace, VMSPACE);
    assert_int_equal(vmo, SCRIPT);
    assert_int_equal(offset + address, 0);
    assert_int_equal(permissions, FTL_MAP_READ | FTL_MAP_WRITE);
    assert_int_equal(size, FTL_PAGE_SIZE);
    *mapped = (uintptr_t)fake.script;
    return FTL_OK;
}

ftl_status_t ftl_vmspace_unmap(ftl_handle_t vmspace, uintptr_t address, size_t size)
{
    assert_int_equal(vmspace, VMSPACE);
    assert_int_equal(address, (uintptr_t)fake.script);
    assert_int_equal(size, FTL_PAGE_SIZE);
    return FTL_OK;
}

/* Those with an even status are for user mode. */
bool ftl_program_is_for(const struct ftl_program_file *file, ftl_isolation_t isolation)
{
    return (atoi((const char *)file->data + 4) % 2 == 0) == (isolation == FTL_ISOLATION_USER);
}

ftl_status_t ftl_service_connect(const struct ftl_protocol *protocol, ftl_handle_t *channel)
{
    assert_ptr_equal(protocol, &mount_protocol);
    *channel = MOUNTS;
    return FTL_OK;
}

ftl_status_t mount_mount(ftl_handle_t channel, const struct mount_mount_request *request,
                         struct mount_buffer *buffer, ftl_nsec_t deadline)
{
    (void)buffer;
    assert_int_equal(channel, MOUNTS);
    assert_int_equal(deadline, FTL_TIME_INFINITE);
    snprintf(fake.mounts, sizeof(fake.mounts), "%s on %s %d", request->source, request->path,
             request->read_only);
    return strcmp(request->source, "bad") != 0 ? FTL_OK : FTL_ERR_NOT_FOUND;
}

ftl_status_t mount_unmount(ftl_handle_t channel, const struct mount_unmount_request *request,
                           struct mount_buffer *buffer, ftl_nsec_t deadline)
{
    (void)buffer;
    (void)deadline;
    assert_int_equal(channel, MOUNTS);
    snprintf(fake.mounts, sizeof(fake.mounts), "off %s", request->path);
    return FTL_OK;
}

ftl_status_t mount_next(ftl_handle_t channel, const struct mount_next_request *request,
                        struct mount_next_reply *reply, struct mount_buffer *buffer,
                        ftl_nsec_t deadline)
{
    static const struct mount_next_reply mounts[] = {
        { "/", "boot", "archive", "ro" },
        { "/tmp", "memory", "memory", "" },
    };
    (void)buffer;
    (void)deadline;
    assert_int_equal(channel, MOUNTS);
    if (request->index >= 2) {
        return FTL_ERR_NOT_FOUND;
    }
    *reply = mounts[request->index];
    return FTL_OK;
}

/* Two devices: one that runs, one without a driver. */
ftl_status_t names_device(ftl_handle_t channel, const struct names_device_request *request,
                          struct names_device_reply *reply, struct names_buffer *buffer,
                          ftl_nsec_t deadline)
{
    static const struct names_device_reply devices[] = {
        { "/soc/clock@1000", "ticks", "ticker", "clock", 7, 11, NAMES_DEVICE_STATE_RUNNING },
        { "/soc/thing@2000", "", "", "", 0, 0, NAMES_DEVICE_STATE_NO_DRIVER },
    };
    (void)buffer;
    assert_int_equal(channel, NAMES);
    assert_int_equal(deadline, FTL_TIME_INFINITE);
    if (request->index >= sizeof(devices) / sizeof(devices[0])) {
        return FTL_ERR_NOT_FOUND;
    }
    *reply = devices[request->index];
    return FTL_OK;
}

const struct ftl_protocol file_protocol = { .name = "file" };

ftl_status_t ftl_service_connect_running(const struct ftl_protocol *protocol, ftl_handle_t *channel)
{
    assert_ptr_equal(protocol, &file_protocol);
    *channel = FILES;
    return fake.has_files ? FTL_OK : FTL_ERR_BAD_STATE;
}

ftl_status_t file_sync_all(ftl_handle_t channel, struct file_buffer *buffer, ftl_nsec_t deadline)
{
    (void)buffer;
    assert_int_equal(channel, FILES);
    assert_true(deadline > fake.now && deadline != FTL_TIME_INFINITE);
    assert_int_equal(fake.power_action, UINT32_MAX); /* comes first */
    fake.syncs++;
    return fake.sync_status;
}

/* Every app but `loop` uses the name service. */
ftl_status_t ftl_service_names_for(ftl_handle_t starter, const struct ftl_app *app,
                                   ftl_handle_t *names)
{
    assert_int_equal(starter, NAMES);
    *names = FTL_HANDLE_INVALID;
    if (fake.names_status == FTL_OK && strcmp(app->name, "loop") != 0) {
        *names = APP_NAMES;
        fake.names_made++;
    }
    return fake.names_status;
}

void ftl_ipc_drop(ftl_handle_t *handle)
{
    if (*handle == APP_NAMES) {
        fake.names_dropped++;
    } else if (*handle != FTL_HANDLE_INVALID && *handle != SIGNALS && *handle != INTERRUPTS) {
        ftl_handle_close(*handle);
    }
    *handle = FTL_HANDLE_INVALID;
}

const char *ftl_strerror(ftl_status_t status)
{
    return status == FTL_ERR_NOT_VERIFIED ? "not verified" : "some error";
}

ftl_status_t ftl_process_info(ftl_handle_t process, struct ftl_process_info *info)
{
    look_at_host((process - FIRST_PROCESS) / HANDLES, false);
    *info = *process_of(process);
    return FTL_OK;
}

ftl_status_t ftl_process_kill(ftl_handle_t process, int32_t status)
{
    struct ftl_process_info *info = process_of(process);
    size_t index = (process - FIRST_PROCESS) / HANDLES;
    look_at_host(index, false);
    if (fake.host[index] != 0) {
        kill(fake.host[index], SIGKILL);
        look_at_host(index, true);
        info->exit_status = status;
    }
    if (info->state == FTL_PROCESS_RUNNING) {
        info->state = FTL_PROCESS_EXITED;
        info->exit_status = status;
    }
    return FTL_OK;
}

ftl_status_t ftl_handle_close(ftl_handle_t handle)
{
    if (handle != FILES && handle != MOUNTS && handle != SCRIPT && handle != VMSPACE) {
        process_of(handle);
        fake.open_handles--;
    }
    return FTL_OK;
}

ftl_status_t ftl_handle_duplicate(ftl_handle_t handle, ftl_rights_t rights, ftl_handle_t *copy)
{
    assert_int_equal(rights, FTL_RIGHTS_SAME);
    process_of(handle);
    fake.open_handles++;
    *copy = handle + 1;
    return FTL_OK;
}

ftl_status_t ftl_object_wait(struct ftl_wait_item *items, size_t count, ftl_nsec_t deadline,
                             size_t *ready)
{
    if (fake.interrupt_after_waits >= 0 && fake.interrupt_after_waits-- == 0) {
        fake.interrupt = true;
    }
    *ready = 0;
    for (size_t i = 0; i < count; i++) {
        items[i].signals = 0;
        if (items[i].handle == CONSOLE) {
            items[i].signals = fake.interrupt ? FTL_SIGNAL_INTERRUPT : 0;
            continue;
        }
        look_at_host((items[i].handle - FIRST_PROCESS) / HANDLES,
                     !fake.interrupt && deadline == FTL_TIME_INFINITE);
        if (process_of(items[i].handle)->state == FTL_PROCESS_EXITED) {
            items[i].signals = FTL_SIGNAL_EXITED;
        }
    }
    for (size_t i = 0; i < count; i++) {
        *ready += (items[i].signals & items[i].interest) != 0;
    }
    if (*ready > 0) {
        return FTL_OK;
    }
    if (deadline == FTL_TIME_INFINITE) {
        fail_msg("the shell waits for ever");
    }
    fake.now = deadline;
    return FTL_ERR_TIMED_OUT;
}

ftl_status_t ftl_console_take_interrupt(ftl_handle_t console, uint32_t *taken)
{
    assert_int_equal(console, CONSOLE);
    *taken = fake.interrupt;
    fake.interrupt = false;
    return FTL_OK;
}

ftl_status_t ftl_clock_get(ftl_nsec_t *now)
{
    *now = fake.now;
    return FTL_OK;
}

ftl_status_t ftl_system_info(ftl_handle_t system, struct ftl_system_info *info)
{
    assert_int_equal(system, SYSTEM);
    *info = (struct ftl_system_info){
        .memory_total = 64 << 20,
        .memory_free = 32 << 20,
        .memory_kernel = 1 << 20,
        .harts_online = 4,
        .uptime = INT64_C(3723004000000),
        .firmware_instructions = 12000000,
        .processes = 7,
        .threads = 9,
        .asids = 256,
        .asids_used_up = 3,
    };
    return FTL_OK;
}

ftl_status_t ftl_system_next_process(ftl_handle_t system, uint64_t after, ftl_handle_t *process)
{
    assert_int_equal(system, SYSTEM);
    for (size_t i = (size_t)after; i < fake.process_count; i++) {
        if (fake.processes[i].state == FTL_PROCESS_RUNNING) {
            *process = open_process(i);
            return FTL_OK;
        }
    }
    return FTL_ERR_NOT_FOUND;
}

ftl_status_t ftl_system_objects(ftl_handle_t system, struct ftl_object_count *counts,
                                size_t capacity, size_t *kinds)
{
    assert_int_equal(system, SYSTEM);
    assert_true(capacity >= 2);
    counts[0] = (struct ftl_object_count){ .name = "thread", .count = 9, .size = 512 };
    counts[1] = (struct ftl_object_count){ .name = "kalloc-64", .count = 32, .size = 64 };
    *kinds = 2;
    return FTL_OK;
}

/* Two handles, in a part each, the second behind an empty one. */
ftl_status_t ftl_process_handles(ftl_handle_t process, struct ftl_handle_list *list)
{
    process_of(process);
    list->count = list->position != 1;
    list->handles[0] = (struct ftl_handle_info){
        .handle = 0x1000001 + list->position,
        .rights = list->position == 0 ? FTL_RIGHTS_ALL : FTL_RIGHT_MAP | FTL_RIGHT_WAIT,
        .object = 7,
        .type = "console",
    };
    list->position = list->position == 2 ? 0 : list->position + 1;
    return FTL_OK;
}

ftl_status_t ftl_process_mappings(ftl_handle_t process, struct ftl_mapping_list *list)
{
    process_of(process);
    list->count = 1;
    list->mappings[0] = list->position == 0 ? (struct ftl_mapping_info){
        .address = 0x10000,
        .size = 0x3000,
        .vmo = 3,
        .permissions = FTL_MAP_READ | FTL_MAP_EXEC,
        .code = 1,
    } : (struct ftl_mapping_info){
        .address = 0x3f00000000,
        .size = 0x1000,
        .offset = 0x2000,
        .vmo = 4,
        .kind = FTL_VMO_PHYSICAL,
        .permissions = FTL_MAP_READ | FTL_MAP_WRITE,
    };
    list->position = list->position == 0;
    return FTL_OK;
}

ftl_status_t ftl_system_hart_info(ftl_handle_t system, struct ftl_hart_info *info)
{
    assert_int_equal(system, SYSTEM);
    if (info->index >= 2) {
        return FTL_ERR_NOT_FOUND;
    }
    /* Hart 0 is idle for a quarter of the time. */
    *info = (struct ftl_hart_info){ .index = info->index,
                                    .online = info->index == 0,
                                    .idle_time = fake.now / 4,
                                    .switches = (uint64_t)fake.now / 100000000,
                                    .ready = 2 };
    return FTL_OK;
}

/* A process has two threads: the second computes half of the time. Thread handles are the
 * process's. */
ftl_status_t ftl_process_next_thread(ftl_handle_t process, uint64_t after, ftl_handle_t *thread)
{
    process_of(process);
    if (after == 2) {
        return FTL_ERR_NOT_FOUND;
    }
    fake.open_handles++;
    *thread = process + 1 + after;
    return FTL_OK;
}

ftl_status_t ftl_thread_info(ftl_handle_t thread, struct ftl_thread_info *info)
{
    process_of(thread);
    bool second = (thread - FIRST_PROCESS) % HANDLES == 2;
    *info = (struct ftl_thread_info){ .tid = second ? 2 : 1,
                                      .state = second ? FTL_THREAD_RUNNING : FTL_THREAD_WAITING,
                                      .priority = 16,
                                      .effective_priority = second ? 20 : 16,
                                      .cpu_time = second ? fake.now / 2 : 5000000 };
    strcpy(info->name, second ? "worker" : "");
    return FTL_OK;
}

ftl_status_t ftl_console_read(ftl_handle_t console, void *data, size_t size, ftl_nsec_t deadline,
                              size_t *read)
{
    (void)data;
    (void)size;
    (void)deadline;
    assert_int_equal(console, CONSOLE);
    *read = 0;
    return FTL_ERR_WOULD_BLOCK;
}

ftl_status_t ftl_system_log(ftl_handle_t system, uint64_t *position, void *data, size_t size,
                            size_t *read)
{
    size_t left = strlen(fake.log) - (size_t)*position;
    assert_int_equal(system, SYSTEM);
    *read = left < size ? left : size;
    *read = *read < 10 ? *read : 10; /* in small pieces, as a call may */
    memcpy(data, fake.log + *position, *read);
    *position += *read;
    return FTL_OK;
}

ftl_status_t ftl_system_power(ftl_handle_t system, uint32_t action, uint32_t status)
{
    assert_int_equal(system, SYSTEM);
    fake.power_action = action;
    fake.power_status = status;
    return FTL_ERR_NOT_SUPPORTED;
}

const struct ftl_protocol mount_protocol = { .name = "mount" };

/* What is typed. */
char *shell_read_console(struct shell *reader, bool *ended)
{
    (void)reader;
    *ended = false;
    return strdup("typed line");
}

/* ---- Driving the shell ---- */

static struct shell shell;
static const char *const bootargs[] = { "ftl.isolation.loop=user" };

static void ignore_output(void *context, const char *data, size_t size)
{
    (void)context;
    (void)data;
    (void)size;
}

/* What main() does in a shell that runs beside another, or a script. */
static int32_t run_beside(const struct ftl_spawn_options *options)
{
    assert_int_equal(offered(options, "interrupts"), INTERRUPTS);
    if (strcmp(options->args[0], "sh") == 0) {
        printf("script %s with %zu parameters\n", options->args[1], options->arg_count - 2);
        return 0;
    }
    assert_int_equal(options->arg_count, SHELL_BESIDE_ARGUMENTS);
    char *script = fake.script;
    struct shell beside = {
        .console = CONSOLE,
        .system = SYSTEM,
        .names = NAMES,
        .image.vmo = BOOTIMAGE,
        .pid = strtoull(options->args[1], NULL, 10),
        .name = options->args[3],
    };
    assert_int_equal(offered(options, "script"), SCRIPT);
    fake.script = NULL;
    fake.names_made = fake.names_dropped = 0;
    memset(fake.host, 0, sizeof(fake.host));
    shell_source_open(&beside);
    shell_run_state(&beside, (struct shell_text){ script, fake.script_size },
                    atoi(options->args[2]));
    return beside.status;
}

static int setup(void **state)
{
    const struct ftl_line_editor_config config = {
        .write = ignore_output,
        .complete = shell_complete,
        .context = &shell,
    };
    (void)state;
    memset(&fake, 0, sizeof(fake));
    fake.interrupt_after_waits = -1;
    fake.log = "";
    memset(&shell, 0, sizeof(shell));
    shell.console = CONSOLE;
    shell.system = SYSTEM;
    shell.names = NAMES;
    shell.image.vmo = BOOTIMAGE;
    shell.bootargs = bootargs;
    shell.bootarg_count = 1;
    shell.is_interactive = true;
    shell.owns_console = true;
    shell.name = "shell";
    shell.pid = 99;
    shell.editor = ftl_line_editor_create(&config);
    shell_source_open(&shell);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ftl_line_editor_destroy(shell.editor);
    shell_variables_free(&shell);
    free(fake.script);
    return 0;
}

/* Runs lines with all output caught. Whether the last one was taken for a whole command. */
static bool run(const char *line, char *output, size_t size)
{
    fflush(stdout);
    int real_out = dup(STDOUT_FILENO);
    int real_err = dup(STDERR_FILENO);
    if (real_out < 0 || real_err < 0) {
        fail_msg("no more descriptors");
        return false;
    }
    FILE *file = tmpfile();
    if (file == NULL) {
        fail_msg("no temporary file");
        return false;
    }
    dup2(fileno(file), STDOUT_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    bool whole = shell_run_line(&shell, line, false);
    fflush(stdout);
    dup2(real_out, STDOUT_FILENO);
    dup2(real_err, STDERR_FILENO);
    close(real_out);
    close(real_err);
    assert_int_equal(fseek(file, 0, SEEK_SET), 0);
    output[fread(output, 1, size - 1, file)] = '\0';
    fclose(file);
    return whole;
}

/* Runs a line; checks all its output, and the status. */
static void check(const char *line, const char *expected, int32_t status)
{
    static char output[20000];
    if (!run(line, output, sizeof(output))) {
        fail_msg("'%s' is taken for the beginning of a command", line);
    }
    assert_string_equal(output, expected);
    assert_int_equal(shell.status, status);
}

/* ---- Tests ---- */

static void lists_follow_their_conditions(void **state)
{
    (void)state;
    check("echo a; echo b", "a\nb\n", 0);
    check("false && echo no || echo yes", "yes\n", 0);
    check("true && false || true && echo end", "end\n", 0);
    check("false || false && echo no", "", 1);
    check("false; echo $?; echo $?", "1\n0\n", 0);
}

static void malformed_line_runs_nothing(void **state)
{
    (void)state;
    check("echo a; echo ${b c}", "shell: ${ at column 14 is not ${NAME} or the like\n", 2);
    check("echo a; ; echo b", "shell: a command expected at column 9, not ;\n", 2);
}

static void variables_are_set_and_used(void **state)
{
    (void)state;
    check("A=1 B='2 3'; A=x$A; echo $A $B", "x1 2 3\n", 0);
    check("A=; echo [$A]", "[]\n", 0);
    check("A=1; A=2 eval 'echo $A'; echo $A", "2\n1\n", 0);
    check("=1", "shell: no command or app '=1'; `help` lists commands, `run` apps\n", 127);
}

static void control_structures_choose_and_repeat(void **state)
{
    (void)state;
    check("if false; then echo a; elif true; then echo b; else echo c; fi", "b\n", 0);
    check("if false; then echo a; fi", "", 0);
    check("for i in 1 '2 3' x*y; do echo \"<$i>\"; done", "<1>\n<2 3>\n<x*y>\n", 0);
    check("i=0; while [ $i -lt 3 ]; do i=$((i+1)); echo $i; done", "1\n2\n3\n", 0);
    check("until [ $i = 0 ]; do i=$((i-1)); done; echo $i", "0\n", 0);
    check("for i in a b c d; do [ $i = b ] && continue; [ $i = d ] && break; echo $i; done",
          "a\nc\n", 0);
    check("for i in a b; do for j in 1 2; do echo $i$j; break 2; done; done; echo end", "a1\nend\n",
          0);
    check("for i in a b; do for j in 1 2; do echo $i$j; continue 2; done; done", "a1\nb1\n", 0);
    check("case abc in x|y) echo 1;; a*c) echo 2;; *) echo 3;; esac", "2\n", 0);
    check("case '*' in '?') echo 1;; \\*) echo 2;; esac; case x in y) ;; esac", "2\n", 0);
    check("{ echo a; false; } || echo b", "a\nb\n", 0);
    check("! true; echo $?; ! false", "1\n", 0);
    check("break", "break: not in a loop\n", 1);
}

static void functions_have_parameters_and_return(void **state)
{
    (void)state;
    check("f() { echo \"$#:$1:$2\"; return 3; echo no; }", "", 0);
    check("set -- x; f a 'b c'; echo $? $1", "2:a:b c\n3 x\n", 0);
    check("f() { f() { echo new; }; echo old; }; f; f", "old\nnew\n", 0);
    check("g() { for i; do shift; echo $i:$#; done; }; g 1 2", "1:1\n2:0\n", 0);
    check("unset -f g; g", "shell: no command or app 'g'; `help` lists commands, `run` apps\n",
          127);
    check("r() { r; }; r", "r: more than 50 calls in one another\n", 1);
    check("return", "return: not in a function or a file\n", 1);
}

static void options_trace_and_end_at_errors(void **state)
{
    (void)state;
    check("set -q", "set: there is no option q; there are e and x\n", 2);
    check("set -x; A=1 true 'b c'; set +x; echo $-", "+ A=1 true 'b c'\n+ set +x\n\n", 0);
    check("set -e; false || true; if false; then :; fi; ! true; echo on", "on\n", 0);
    assert_false(shell.leave);
    check("false; echo not reached", "", 1);
    assert_true(shell.leave);
}

static void conditions_test_texts_numbers_and_files(void **state)
{
    (void)state;
    const char *true_ones[] = {
        "test a",
        "[ -n a ]",
        "[ -z '' ]",
        "[ a = a ]",
        "[ a != b ]",
        "[ ! '' ]",
        "[ 7 -eq 07 ]",
        "[ -1 -lt 1 ]",
        "[ 2 -ge 2 -a 3 -gt 2 ]",
        "[ '' -o x ]",
        "[ \\( '' -o a \\) -a b ]",
        "[ -d / ]",
        "[ -e /etc/passwd ]",
        "[ -f /etc/passwd ]",
        "[ -s /etc/passwd ]",
        "[ -r / ]",
        "[ = = = ]",
        "[ -n ]",
        "[ ! ]",
        "[ ! -f / ]",
        "[ '(' = '(' ]",
    };
    const char *false_ones[] = { "test",      "[ ]",         "[ '' ]",
                                 "[ a = b ]", "[ 1 -ne 1 ]", "[ -f / ]",
                                 "[ ! a ]",   "[ a -a '' ]", "[ -e /nonexistent ]",
                                 "[ -L / ]" };
    for (size_t i = 0; i < sizeof(true_ones) / sizeof(true_ones[0]); i++) {
        check(true_ones[i], "", 0);
    }
    for (size_t i = 0; i < sizeof(false_ones) / sizeof(false_ones[0]); i++) {
        check(false_ones[i], "", 1);
    }
    check("[ a", "[: the last word is not ]\n", 2);
    check("[ 1 -eq x ]", "[: not understood: 'x'\n", 2);
    check("[ a b ]", "[: not understood: 'b'\n", 2);
    check("[ a -a ]", "[: not understood: 'the end'\n", 2);
}

static void commands_go_on_over_lines(void **state)
{
    (void)state;
    char output[100];
    assert_false(run("if true", output, sizeof(output)));
    assert_false(run("then echo 'a", output, sizeof(output)));
    check("b'; fi", "a\nb\n", 0);
    assert_false(run("copy <<E", output, sizeof(output)));
    assert_false(run("x $((1+1))", output, sizeof(output)));
    check("E", "x 2\n", 0);
    assert_false(run("echo a \\", output, sizeof(output)));
    check("b", "a b\n", 0);
}

static void redirections_change_descriptors_for_a_command(void **state)
{
    (void)state;
    char name[] = "/tmp/ftl_shell_XXXXXX";
    int file = mkstemp(name);
    if (file < 0) {
        fail_msg("no temporary file");
        return;
    }
    close(file);
    shell_variable_set(&shell, "F", 1, name);
    check("echo one >$F; echo two >>$F; copy <$F", "one\ntwo\n", 0);
    check("{ echo a; echo b >&2; } 2>$F; echo --; copy <$F", "a\n--\nb\n", 0);
    check("if true; then echo c; fi >$F 2>&1; copy x <$F", "x\nc\n", 0);
    check("while read a b; do echo \"$b,$a\"; done <<E\n1 2 3\n x  y \nE", "2 3,1\ny,x\n", 0);
    check("for i in 1 2; do echo $i; done >$F; read x <$F; echo $x; : >$F; read x <$F", "1\n", 1);
    check("copy </nonexistent", "shell: cannot open /nonexistent: No such file or directory\n", 1);
    check("echo a >&7", "shell: cannot use descriptor 7: Bad file descriptor\n", 1);
    check("echo a >&x", "shell: 'x' is no descriptor: a digit or -\n", 1);
    check("exec 9>$F; echo kept >&9; exec 9>&-; copy <$F", "kept\n", 0);
    check("echo a >&-", "echo: cannot write its output\n", 1);
    unlink(name);
}

static void pipelines_pass_output_on(void **state)
{
    (void)state;
    check("echo a b | copy | copy", "a b\n", 0);
    check("echo a | copy x y | while read l; do echo \"<$l>\"; done", "<x>\n<y>\n<a>\n", 0);
    check(
        "x=1; f() { echo \"$x$1\"; }; f 'a  b' | copy; echo $x | { read x; echo got $x; }; echo $x",
        "1a  b\ngot 1\n1\n", 0);
    check("true | hello 7; echo $?; hello 7 | true; echo $?", "7\n0\n", 0);
    check("echo a | nosuch",
          "shell: no command or app 'nosuch'; `help` lists commands, `run` apps\n", 127);
    check("! echo a | copy", "a\n", 1);
    assert_int_equal(fake.open_handles, 0);
}

static void commands_are_run_beside_the_shell(void **state)
{
    (void)state;
    check("x=1; (x=2; echo $x; exit 4); echo $? $x", "2\n4 1\n", 0);
    check("set -- 'a b' c; (echo $# \"$1\" $$ $0; set +e; false; echo $?)", "2 a b 99 shell\n1\n",
          0);
    check("false; (echo $?)", "1\n", 0);
    check("(copy <<E; echo b)\na\nE", "a\nb\n", 0);
    check("export A=1; B=2; C=3 copy </dev/null", "A=1\nC=3\n", 0);
    assert_int_equal(fake.open_handles, 0);
}

static void output_of_commands_becomes_words(void **state)
{
    (void)state;
    check("echo \"<$(echo a; echo; echo b; echo)>\" $(copy x 'y  z' </dev/null)",
          "<a\n\nb> x y z\n", 0);
    check("x=$(false); echo $?; x=$(echo hi) && echo $x", "1\nhi\n", 0);
    check("f() { echo in f; }; echo `f` $(echo $(echo deep))", "in f deep\n", 0);
    check("x=$(nosuch); echo \"$? <$x>\"",
          "shell: no command or app 'nosuch'; `help` lists commands, `run` apps\n127 <>\n", 0);
    check("echo `a )`", "shell: a command expected at column 3, not )\n", 2);
    assert_int_equal(fake.open_handles, 0);
}

static void scripts_run_from_files(void **state)
{
    (void)state;
    char name[] = "/tmp/ftl_shell_XXXXXX";
    int file = mkstemp(name);
    if (file < 0) {
        fail_msg("no temporary file");
        return;
    }
    dprintf(file, "#!/bin/sh\nx=5\necho $x \\\n  more\nif true; then\n  return 6\nfi\necho no\n");
    shell_variable_set(&shell, "F", 1, name);
    check(". $F; echo $? $x", "5 more\n6 5\n", 0);
    check(". /nonexistent", "shell: cannot read /nonexistent: No such file or directory\n", 127);
    assert_int_equal(ftruncate(file, 0), 0);
    assert_int_equal(lseek(file, 0, SEEK_SET), 0);
    dprintf(file, "echo a\n\necho b )\n");
    char expected[200];
    snprintf(expected, sizeof(expected), "a\n%s: a command expected at line 3, column 8, not )\n",
             name);
    check(". $F", expected, 2);
    close(file);
    unlink(name);
}

static void make_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        fail_msg("cannot make %s", path);
        return;
    }
    fputs(text, file);
    fclose(file);
}

static void files_are_programs_or_scripts(void **state)
{
    (void)state;
    char directory[] = "/tmp/ftl_shell_XXXXXX";
    char expected[200];
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
    make_file("odd", "\x7f"
                     "ELF41\n");
    make_file("even", "\x7f"
                      "ELF20\n");
    make_file("text", "echo a\n");
    make_file("empty", "");
    check("./odd", "", 42);
    assert_int_equal(fake.last_isolation, FTL_ISOLATION_SANDBOX);
    check("./even a b", "", 23);
    assert_int_equal(fake.last_isolation, FTL_ISOLATION_USER);
    check("run --isolation=sandbox ./even", "", 21);
    assert_int_equal(fake.last_isolation, FTL_ISOLATION_SANDBOX);
    check("./text a b", "script ./text with 2 parameters\n", 0);
    check("./empty", "script ./empty with 0 parameters\n", 0);
    check("./none", "shell: ./none: No such file or directory\n", 127);
    check("odd", "shell: no command or app 'odd'; `help` lists commands, `run` apps\n", 127);
    shell_variable_set(&shell, "PATH", 4, directory);
    snprintf(expected, sizeof(expected), "script %s/text with 1 parameters\n42\n", directory);
    check("text x; odd; echo $?", expected, 0);
    unlink("odd");
    unlink("even");
    unlink("text");
    unlink("empty");
    assert_int_equal(chdir("/"), 0);
    rmdir(directory);
}

static void file_systems_are_mounted_listed_and_unmounted(void **state)
{
    (void)state;
    check("mount", "boot on / type archive (ro)\nmemory on /tmp type memory\n", 0);
    check("mount block /disk", "", 0);
    assert_string_equal(fake.mounts, "block on /disk 0");
    check("mount -r block:1 /mnt", "", 0);
    assert_string_equal(fake.mounts, "block:1 on /mnt 1");
    check("cd /; mount memory tmp", "", 0);
    assert_string_equal(fake.mounts, "memory on //tmp 0");
    check("umount /disk", "", 0);
    assert_string_equal(fake.mounts, "off /disk");
    check("mount bad /disk", "mount: cannot mount it: some error\n", 1);
    check("mount x", "usage: mount [-r] [SOURCE DIRECTORY]\n", 2);
    check("umount", "usage: umount DIRECTORY\n", 2);
}

static void directories_are_changed(void **state)
{
    (void)state;
    check("cd /; pwd; cd etc; pwd; cd -; pwd", "/\n/etc\n/\n/\n", 0);
    check("cd /nonexistent", "cd: /nonexistent: No such file or directory\n", 1);
}

static void app_runs_by_name_and_gives_its_status(void **state)
{
    (void)state;
    check("hello", "", 0);
    check("run hello 42", "", 42);
    check("hello 3 && echo no", "", 3);
    check("fault", "", 139);
    assert_int_equal(fake.open_handles, 0);
}

static void isolation_is_by_option_then_boot_argument_then_manifest(void **state)
{
    (void)state;
    check("hello", "", 0);
    assert_int_equal(fake.last_isolation, FTL_ISOLATION_SANDBOX);
    check("run --isolation=user hello", "", 0);
    assert_int_equal(fake.last_isolation, FTL_ISOLATION_USER);
    check("loop &", "[1] 3\n", 0);
    assert_int_equal(fake.last_isolation, FTL_ISOLATION_USER);
    check("run --isolation=sandbox loop &", "[2] 4\n", 0);
    assert_int_equal(fake.last_isolation, FTL_ISOLATION_SANDBOX);
    check("run --isolation= hello", "run: '' is not an isolation: user or sandbox\n", 2);
    check("run --isolation=user", "usage: run [--isolation=user|sandbox] [NAME [ARGUMENT]...]\n",
          2);
    check("run --fast hello", "usage: run [--isolation=user|sandbox] [NAME [ARGUMENT]...]\n", 2);
}

static void unknown_names_are_not_found(void **state)
{
    (void)state;
    check("nosuch", "shell: no command or app 'nosuch'; `help` lists commands, `run` apps\n", 127);
    check("run nosuch", "run: no app 'nosuch' in the boot image; `run` alone lists them\n", 127);
    check("help nosuch", "help: no command 'nosuch'; `help` lists them\n", 127);
}

static void app_that_cannot_start_says_why(void **state)
{
    (void)state;
    fake.spawn_status = FTL_ERR_NOT_VERIFIED;
    check("hello", "run: cannot start 'hello' (sandbox): loading its program: not verified\n", 126);
    assert_int_equal(fake.open_handles, 0);
    assert_int_equal(fake.names_made, fake.names_dropped);
}

static void app_that_gets_no_name_service_does_not_start(void **state)
{
    (void)state;
    fake.names_status = FTL_ERR_LIMIT;
    check("hello",
          "run: cannot start 'hello' (sandbox): connecting it to the name service: some error\n",
          126);
    assert_int_equal(fake.process_count, 0);
}

static void run_alone_lists_the_apps(void **state)
{
    (void)state;
    check("run",
          "hello            sandbox  app number 1\n"
          "    hi\n"
          "loop             user     app number 2\n"
          "fault            sandbox  app number 3\n"
          "copy             sandbox  app number 4\n"
          "shell            sandbox  app number 5\n"
          "program          sandbox  app number 6\n",
          0);
}

static void devices_are_listed_with_what_drives_them(void **state)
{
    (void)state;
    check("devices",
          "NODE                         COMPATIBLE             IRQ STATE    DRIVER         "
          "PROTOCOL  PID\n"
          "/soc/clock@1000              ticks                   11 running  ticker         "
          "clock     7\n"
          "/soc/thing@2000              -                        0 unknown  -              "
          "-         -\n",
          0);
}

static void control_c_kills_the_foreground_and_the_rest_of_the_line(void **state)
{
    (void)state;
    fake.interrupt_after_waits = 0;
    check("loop; echo not reached", "^C\n", 130);
    assert_int_equal(fake.open_handles, 0);
    fake.interrupt_after_waits = 0;
    check("echo a | loop | loop; echo not reached", "^C\n", 130);
    assert_int_equal(fake.open_handles, 0);
    fake.interrupt_after_waits = 0;
    check("(while true; do :; done); echo not reached", "^C\n", 130);
    assert_int_equal(fake.open_handles, 0);
    fake.interrupt = true;
    check("while true; do :; done; echo not reached", "^C\n", 130);
    fake.interrupt_after_waits = 0;
    check("sleep 10; echo not reached", "^C\n", 130);
    check("echo again", "again\n", 0);
}

static void background_job_is_announced_listed_killed_and_reported(void **state)
{
    (void)state;
    check("loop a b &", "[1] 1\n", 0);
    check("echo $!", "1\n", 0);
    check("jobs", "[1] running, pid 1: loop a b\n", 0);
    check("kill 1; jobs", "[1] done, status 137 (killed): loop a b\n", 0);
    check("jobs", "", 0);
    assert_int_equal(fake.open_handles, 0);
}

static void kill_takes_jobs_and_numbers(void **state)
{
    (void)state;
    check("loop & loop & loop &", "[1] 1\n[2] 2\n[3] 3\n", 0);
    check("kill %2 3 x %9 77; jobs",
          "kill: 'x' is neither PID nor %JOB\n"
          "kill: no job '%9'; `jobs` lists them\n"
          "kill: no process 77; `ps` lists them\n"
          "[2] done, status 137 (killed): loop\n"
          "[3] done, status 137 (killed): loop\n"
          "[1] running, pid 1: loop\n",
          0);
    check("kill 2", "kill: no process 2; `ps` lists them\n", 1);
    check("kill 0", "kill: no process 0; `ps` lists them\n", 1);
    check("kill 18446744073709551616", "kill: '18446744073709551616' is neither PID nor %JOB\n", 1);
    check("kill", "usage: kill PID|%JOB...\n", 2);
    check("kill %1", "", 0);
}

static void wait_gives_a_jobs_status(void **state)
{
    (void)state;
    check("hello 7 & fault &", "[1] 1\n[2] 2\n", 0);
    check("wait %2", "", 139);
    check("wait", "[1] done, status 7: hello 7\n", 7);
    check("wait", "", 0);
    check("wait %1", "wait: no job '%1'; `jobs` lists them\n", 127);
    assert_int_equal(fake.open_handles, 0);
    check("loop &", "[1] 3\n", 0);
    fake.interrupt_after_waits = 0;
    check("wait", "^C\n", 130);
    check("jobs", "[1] running, pid 3: loop\n", 0);
}

static void jobs_are_bounded(void **state)
{
    (void)state;
    for (int i = 0; i < SHELL_JOBS_MAX; i++) {
        char expected[16];
        snprintf(expected, sizeof(expected), "[%d] %d\n", i + 1, i + 1);
        check("loop &", expected, 0);
    }
    check("loop &", "shell: there are already 32 background jobs\n", 126);
    check("kill %5", "", 0);
    check("loop &", "shell: there are already 32 background jobs\n", 126); /* not reported yet */
    shell_jobs_report(&shell);
    check("loop &", "[5] 33\n", 0);
}

static void anything_runs_in_the_background(void **state)
{
    (void)state;
    check("(exit 3) &", "[1] 1\n", 0);
    check("wait $!; echo $?", "3\n", 0);
    check("loop | loop &", "[1] 3\n", 0);
    check("kill %1; jobs", "[1] done, status 137 (killed): loop | loop\n", 0);
    check("true && hello 5 &", "[1] 4\n", 0);
    check("wait %1", "", 5);
    assert_int_equal(fake.open_handles, 0);
}

static void sleep_takes_decimals(void **state)
{
    (void)state;
    check("sleep 1.25", "", 0);
    assert_int_equal(fake.now, 1250000000);
    const char *wrong[] = { "sleep x",  "sleep -1",           "sleep 1.x",
                            "sleep .5", "sleep 1.0000000001", "sleep 99999999999999999" };
    for (size_t i = 0; i < 6; i++) {
        char expected[80];
        snprintf(expected, sizeof(expected), "sleep: '%s' is not a number of seconds\n",
                 wrong[i] + strlen("sleep "));
        check(wrong[i], expected, 2);
    }
}

static void time_shows_real_and_cpu_time(void **state)
{
    (void)state;
    check("time sleep 2", "real 2.000 s\ncpu  0.000 s\n", 0);
    check("time hello 3", "real 0.000 s\ncpu  0.005 s\n", 3);
}

static void system_commands_show_what_the_system_says(void **state)
{
    (void)state;
    check("loop &", "[1] 1\n", 0);
    check("ps",
          "  PID NAME             ISOLATION STATE   THREADS HANDLES       MEMORY     CPU TIME\n"
          "    1 loop             user      running       0       0        0 KiB      0.005 s\n",
          0);
    check("mem",
          "total       65536 KiB\nfree        32768 KiB\nkernel       1024 KiB\n"
          "ids of address spaces: 256, used up 3 times\n"
          "    1 loop                      0 KiB of          0 KiB\n",
          0);
    check("uptime",
          "up 1:02:03.004, harts: 4, processes: 7, threads: 9\n"
          "firmware: 12000000 instructions, kernel entry to first prompt: 0 instructions\n",
          0);
    check("uptime now", "usage: uptime\n", 2);
}

static void inspecting_commands_show_all_parts_of_a_list(void **state)
{
    (void)state;
    check("loop &", "[1] 1\n", 0);
    check("handles 1",
          "            HANDLE TYPE          OBJECT RIGHTS\n"
          "         0x1000001 console            7 rwmxdtMW\n"
          "         0x1000003 console            7 --m----W\n",
          0);
    check("vm 1",
          "ADDRESSES                         MAY         SIZE     VMO     OFFSET KIND\n"
          "0000000000010000-0000000000013000 r-x       12 KiB       3          0 image\n"
          "0000003f00000000-0000003f00001000 rw-        4 KiB       4     0x2000 physical\n",
          0);
    check("objects",
          "KIND                  COUNT    BYTES       MEMORY\n"
          "thread                    9      512        4 KiB\n"
          "kalloc-64                32       64        2 KiB\n",
          0);
    check("kill %1", "", 0);
    assert_int_equal(fake.open_handles, 1); /* the job's */
}

static void top_shows_who_used_the_time_between_two_looks(void **state)
{
    (void)state;
    check("loop &", "[1] 1\n", 0);
    check("top -n 1",
          "hart 0   75.0 % busy, switches: 10, taken from others: 0, waiting: 2\n"
          "hart 1    0.0 % busy, switches: 10, taken from others: 0, waiting: 2\n"
          "  PID   TID PROCESS          THREAD          STATE   HART PRIO CPU %    CPU TIME\n"
          "    1     2 loop             worker          running    0   20  50.0     0.500 s\n"
          "    1     1 loop                             waiting    0   16   0.0     0.005 s\n",
          0);
    assert_int_equal(fake.open_handles, 1); /* the job's */
    fake.interrupt_after_waits = 0;
    check("top", "^C\n", 130);
    check("top -n", "usage: top [-n LOOKS]\n", 2);
    check("top -n 0", "top: '0' is not a number of looks\n", 2);
}

static void inspecting_commands_need_a_process_number(void **state)
{
    (void)state;
    check("handles", "usage: handles PID\n", 2);
    check("vm x", "vm: 'x' is not a process number\n", 2);
    check("vm 18446744073709551616", "vm: '18446744073709551616' is not a process number\n", 2);
    check("handles 0", "handles: no process 0; `ps` lists them\n", 1);
    check("vm 99", "vm: no process 99; `ps` lists them\n", 1);
    check("objects all", "usage: objects\n", 2);
}

static void log_prints_all_or_the_last_lines(void **state)
{
    (void)state;
    check("log", "", 0);
    fake.log = "first line\nsecond line\nthird";
    check("log", "first line\nsecond line\nthird\n", 0);
    check("log -n 1", "third\n", 0);
    check("log -n 2", "second line\nthird\n", 0);
    check("log -n 99", "first line\nsecond line\nthird\n", 0);
    check("log -n 0", "log: '0' is not a number of lines\n", 2);
    check("log -n", "usage: log [-n LINES]\n", 2);
    fake.log = "a\nb\n";
    check("log -n 1", "b\n", 0);
}

static void files_are_written_to_their_disks_before_the_end(void **state)
{
    (void)state;
    fake.power_action = UINT32_MAX;
    fake.has_files = true;
    check("shutdown", "shutdown: cannot power off: some error\n", 1);
    assert_int_equal(fake.syncs, 1);
    fake.power_action = UINT32_MAX;
    fake.sync_status = FTL_ERR_IO;
    check("reboot",
          "reboot: cannot write files to their disks: some error\n"
          "reboot: cannot reboot: some error\n",
          1);
    assert_int_equal(fake.syncs, 2);
    assert_int_equal(fake.power_action, FTL_POWER_REBOOT);
}

static void shutdown_passes_a_status_on(void **state)
{
    (void)state;
    fake.power_action = UINT32_MAX;
    check("shutdown 256", "shutdown: '256' is not an exit status from 0 to 255\n", 2);
    assert_int_equal(fake.power_action, UINT32_MAX);
    check("false; shutdown $?", "shutdown: cannot power off: some error\n", 1);
    assert_int_equal(fake.power_action, FTL_POWER_OFF);
    assert_int_equal(fake.power_status, 1);
    check("reboot", "reboot: cannot reboot: some error\n", 1);
    assert_int_equal(fake.power_action, FTL_POWER_REBOOT);
}

static void exit_leaves_with_a_status_and_runs_no_more(void **state)
{
    (void)state;
    check("exit 5; echo not reached", "", 5);
    assert_true(shell.leave);
}

static void every_command_has_help(void **state)
{
    (void)state;
    for (size_t i = 0; shell_builtin_at(i) != NULL; i++) {
        const struct shell_builtin *builtin = shell_builtin_at(i);
        assert_ptr_equal(shell_builtin_find(builtin->name), builtin);
        assert_true(strlen(builtin->help) > 0);
        assert_true(i == 0 || strcmp(shell_builtin_at(i - 1)->name, builtin->name) < 0);
    }
    check("help ps", "ps\n    list the processes\n", 0);
    check("help run",
          "run [--isolation=user|sandbox] [NAME [ARGUMENT]...]\n"
          "    start an app; without a name, list the apps\n",
          0);
}

static void assert_completed(const char *keys, const char *expected)
{
    size_t used;
    ftl_line_editor_begin(shell.editor, SHELL_PROMPT);
    ftl_line_editor_feed(shell.editor, keys, strlen(keys), &used);
    assert_string_equal(ftl_line_editor_line(shell.editor), expected);
}

static void completion_offers_what_fits_the_place(void **state)
{
    (void)state;
    check("loop &", "[1] 1\n", 0);
    assert_completed("he\t", "hel");
    assert_completed("hell\t", "hello ");
    assert_completed("echo a;upt\t", "echo a;upt"); /* words are apart by blanks */
    assert_completed("echo a; upt\t", "echo a; uptime ");
    assert_completed("true && time fau\t", "true && time fault ");
    assert_completed("run he\t", "run hello ");
    assert_completed("run --isolation=u\tlo\t", "run --isolation=user loop ");
    assert_completed("help he\t", "help help ");
    assert_completed("kill %\t", "kill %1 ");
    assert_completed("wait 1\t", "wait 1 ");
    assert_completed("echo he\t", "echo he");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(lists_follow_their_conditions),
        TEST(malformed_line_runs_nothing),
        TEST(variables_are_set_and_used),
        TEST(control_structures_choose_and_repeat),
        TEST(functions_have_parameters_and_return),
        TEST(options_trace_and_end_at_errors),
        TEST(conditions_test_texts_numbers_and_files),
        TEST(commands_go_on_over_lines),
        TEST(redirections_change_descriptors_for_a_command),
        TEST(pipelines_pass_output_on),
        TEST(commands_are_run_beside_the_shell),
        TEST(output_of_commands_becomes_words),
        TEST(scripts_run_from_files),
        TEST(files_are_programs_or_scripts),
        TEST(file_systems_are_mounted_listed_and_unmounted),
        TEST(directories_are_changed),
        TEST(app_runs_by_name_and_gives_its_status),
        TEST(isolation_is_by_option_then_boot_argument_then_manifest),
        TEST(unknown_names_are_not_found),
        TEST(app_that_cannot_start_says_why),
        TEST(app_that_gets_no_name_service_does_not_start),
        TEST(run_alone_lists_the_apps),
        TEST(devices_are_listed_with_what_drives_them),
        TEST(control_c_kills_the_foreground_and_the_rest_of_the_line),
        TEST(background_job_is_announced_listed_killed_and_reported),
        TEST(kill_takes_jobs_and_numbers),
        TEST(wait_gives_a_jobs_status),
        TEST(jobs_are_bounded),
        TEST(anything_runs_in_the_background),
        TEST(sleep_takes_decimals),
        TEST(time_shows_real_and_cpu_time),
        TEST(system_commands_show_what_the_system_says),
        TEST(inspecting_commands_show_all_parts_of_a_list),
        TEST(top_shows_who_used_the_time_between_two_looks),
        TEST(inspecting_commands_need_a_process_number),
        TEST(log_prints_all_or_the_last_lines),
        TEST(files_are_written_to_their_disks_before_the_end),
        TEST(shutdown_passes_a_status_on),
        TEST(exit_leaves_with_a_status_and_runs_no_more),
        TEST(every_command_has_help),
        TEST(completion_offers_what_fits_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
