/*
 * The file server: all file systems, and the tree that they make up, for all processes. Clients of
 * the protocol `file` have a thread each (connections.c), all else is done by the main loop, under
 * the same lock. docs/files.md says how it is built.
 */
#include <ftl/clock.h>
#include <ftl/environ.h>
#include <ftl/notification.h>
#include <ftl/protocols/file.h>
#include <ftl/protocols/mount.h>
#include <ftl/spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connections.h"
#include "policy.h"
#include "service.h"

#define NSEC_PER_SEC INT64_C(1000000000)

/* How long something that was changed waits to be written back. */
#define WRITE_BACK_AFTER (2 * NSEC_PER_SEC)
#define WHEN_CHANGED     UINT64_C(1)

static struct {
    struct ftl_mainloop loop;
    struct ftl_source changed;
    ftl_nsec_t write_back; /* when it is time for that */
} files = { .write_back = FTL_TIME_INFINITE };

static ftl_nsec_t now(void)
{
    ftl_nsec_t time = 0;
    ftl_clock_get(&time);
    return time;
}

static void on_changed(struct ftl_source *source, uint32_t signals)
{
    uint64_t former;
    (void)signals;
    ftl_notification_clear(source->handle, WHEN_CHANGED, &former);
    files.write_back = now() + WRITE_BACK_AFTER;
}

/* The server of the protocol `mount` takes the lock for each of its calls. */
static ftl_status_t dispatch_locked(const void *handlers, void *context, struct ftl_message *in,
                                    struct ftl_message *out)
{
    connections_lock();
    ftl_status_t status = mount_protocol.dispatch(handlers, context, in, out);
    connections_unlock();
    return status;
}

static ftl_status_t run(void)
{
    ftl_status_t status = FTL_OK;
    while (!files.loop.stopped && (status == FTL_OK || status == FTL_ERR_TIMED_OUT)) {
        if (now() >= files.write_back) {
            files.write_back = FTL_TIME_INFINITE;
            connections_lock();
            tree_write_back();
            connections_unlock();
        }
        status = ftl_mainloop_step(&files.loop, files.write_back);
    }
    return status;
}

static ftl_status_t open_loop(void)
{
    ftl_handle_t changed;
    ftl_status_t status = ftl_mainloop_init(&files.loop);
    if (status == FTL_OK) {
        status = ftl_notification_create(&changed);
    }
    if (status == FTL_OK) {
        status = ftl_mainloop_add(&files.loop, &files.changed, changed, FTL_SIGNAL_READABLE,
                                  on_changed, NULL);
        connections_open(changed);
    }
    return status;
}

static void read_arguments(int argc, char **argv, struct policy *policy)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "ftl.disk=none") == 0) {
            policy->uses_disks = false;
        } else if (strcmp(argv[i], "ftl.disk=ro") == 0) {
            policy->disks_are_read_only = true;
        }
    }
}

int main(int argc, char **argv)
{
    struct ftl_server init;
    struct ftl_protocol locked = mount_protocol;
    struct ftl_server mount_server = { .protocol = &locked, .handlers = &mount_handlers };
    struct ftl_server file_server = {
        .protocol = &file_protocol,
        .adopt = connections_accept,
        .also = &mount_server,
    };
    struct ftl_bootimage image = { .data = NULL };
    struct policy policy = { .uses_disks = true };
    locked.dispatch = dispatch_locked;
    read_arguments(argc, argv, &policy);
    if (ftl_bootimage_open(&image, ftl_environ_find(ftl_environ(), "files")) == FTL_OK) {
        policy.image = image.data;
        policy.image_size = image.size;
    }
    ftl_status_t status = open_loop();
    if (status == FTL_OK) {
        status = policy_start(&policy);
    }
    if (status == FTL_OK) {
        status = ftl_service_open(&init, &file_server, &files.loop);
    }
    if (status == FTL_OK) {
        status = run();
    }
    fprintf(stderr, "files: %s\n", ftl_strerror(status));
    return EXIT_FAILURE;
}
