/*
 * The first process. It starts the shell, and services when somebody connects to them; starts again
 * what ends, as manifests say; gives drivers their devices; and provides the name service. Relies
 * on the handles `console`, `system`, `bootimage` and `devicetree` of its environment; its
 * arguments are the words of the boot command line, which it passes on. It never ends by itself:
 * there would be nobody to notice.
 */
#include <ftl/environ.h>
#include <ftl/thread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices.h"

/* The app provides the protocol, maybe besides others. */
static void add_protocol(struct init *init, const char *app, const char *protocol)
{
    for (size_t i = 1; i < init->service_count; i++) {
        struct service *service = &init->services[i];
        size_t length = strlen(service->protocols);
        if (strcmp(service->app, app) == 0) {
            if (length + 1 + strlen(protocol) < sizeof(service->protocols)) {
                service->protocols[length] = ' ';
                strcpy(service->protocols + length + 1, protocol);
            }
            return;
        }
    }
    service_init(&init->services[init->service_count++], init, app, protocol);
}

#define START_WORD "ftl.start="

/* The app that a boot argument `ftl.start=APP` names; NULL when it is another word. */
static const char *app_to_start(const char *word)
{
    size_t prefix = strlen(START_WORD);
    bool is_name = strncmp(word, START_WORD, prefix) == 0 && strlen(word + prefix) < FTL_NAME_MAX;
    return is_name ? word + prefix : NULL;
}

/* The service of an app, which is made one if it provides nothing. */
static struct service *service_of(struct init *init, const char *app)
{
    struct service *end = &init->services[init->service_count];
    for (struct service *service = end; service-- != init->services;) {
        if (strcmp(service->app, app) == 0) {
            return service;
        }
    }
    service_init(end, init, app, "");
    init->service_count++;
    return end;
}

/* Starts what the boot arguments name. */
static void start_by_arguments(struct init *init)
{
    for (size_t i = 0; i < init->bootarg_count; i++) {
        const char *app = app_to_start(init->bootargs[i]);
        struct service *service = app != NULL ? service_of(init, app) : NULL;
        if (service != NULL && service->state == SERVICE_NOT_STARTED) {
            service_start(service);
        }
    }
}

/* The boot image's list of services, after the shell, and room for those that boot arguments name.
 * False: no memory. */
static bool list_services(struct init *init)
{
    char protocol[FTL_NAME_MAX];
    char app[FTL_NAME_MAX];
    size_t position = 0;
    size_t count = 1;
    size_t named = init->bootarg_count;
    while (ftl_app_next_service(&init->image, &position, protocol, app) == FTL_OK) {
        count++;
    }
    init->services = calloc(count + named, sizeof(init->services[0]));
    if (init->services == NULL) {
        return false;
    }
    service_init(&init->services[init->service_count++], init, "shell", "");
    position = 0;
    while (init->service_count < count &&
           ftl_app_next_service(&init->image, &position, protocol, app) == FTL_OK) {
        add_protocol(init, app, protocol);
    }
    return true;
}

static ftl_status_t open_init(struct init *init)
{
    ftl_status_t status =
        ftl_bootimage_open(&init->image, ftl_environ_find(ftl_environ(), "bootimage"));
    if (status != FTL_OK) {
        printf("init: cannot map the boot image: %s\n", ftl_strerror(status));
    }
    if (!list_services(init)) {
        return FTL_ERR_NO_MEMORY;
    }
    status = ftl_mainloop_init(&init->loop);
    if (status != FTL_OK) {
        return status;
    }
    return names_open(init);
}

int main(int argc, char **argv)
{
    static struct init init;
    init.console = ftl_environ_find(ftl_environ(), "console");
    init.system = ftl_environ_find(ftl_environ(), "system");
    if (argc > 1) {
        init.bootargs = (const char *const *)argv + 1;
        init.bootarg_count = (size_t)argc - 1;
    }
    ftl_status_t status = open_init(&init);
    if (status == FTL_OK) {
        service_start(&init.services[0]);
        ftl_thread_yield(); /* the shell need not wait for what nobody has asked for */
        devices_start(&init);
        start_by_arguments(&init);
        status = ftl_mainloop_run(&init.loop);
    }
    printf("init: cannot go on: %s\n", ftl_strerror(status));
    fflush(stdout);
    for (;;) {
        ftl_thread_sleep(FTL_TIME_INFINITE);
    }
}
