/* What devices there are, and what drives them: `devices`. */
#include <ftl/protocols/names.h>
#include <inttypes.h>
#include <stdio.h>

#include "shell.h"

static const char *const states[] = {
    [NAMES_DEVICE_STATE_EMPTY] = "empty",       [NAMES_DEVICE_STATE_KERNEL] = "kernel",
    [NAMES_DEVICE_STATE_NO_DRIVER] = "unknown", [NAMES_DEVICE_STATE_IDLE] = "idle",
    [NAMES_DEVICE_STATE_RUNNING] = "running",   [NAMES_DEVICE_STATE_WAITING] = "waiting",
    [NAMES_DEVICE_STATE_ENDED] = "ended",
};

static const char *or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

static void print_device(const struct names_device_reply *device)
{
    char pid[sizeof("18446744073709551615")] = "-";
    if (device->pid != 0) {
        snprintf(pid, sizeof(pid), "%" PRIu64, device->pid);
    }
    printf("%-28s %-22s %3" PRIu32 " %-8s %-14s %-9s %s\n", device->node,
           or_dash(device->compatible), device->interrupt, states[device->state],
           or_dash(device->driver), or_dash(device->protocol), pid);
}

int32_t shell_devices(struct shell *shell, size_t count, char **word)
{
    struct names_device_request request = { .index = 0 };
    struct names_device_reply reply;
    struct names_buffer buffer;
    ftl_status_t status;
    if (count > 1) {
        return shell_usage(word[0]);
    }
    printf("%-28s %-22s %3s %-8s %-14s %-9s %s\n", "NODE", "COMPATIBLE", "IRQ", "STATE", "DRIVER",
           "PROTOCOL", "PID");
    while ((status = names_device(shell->names, &request, &reply, &buffer, FTL_TIME_INFINITE)) ==
           FTL_OK) {
        print_device(&reply);
        request.index++;
    }
    return status == FTL_ERR_NOT_FOUND ? SHELL_OK : shell_failed(word[0], "list devices", status);
}
