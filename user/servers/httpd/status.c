/*
 * The state of the system: see status.h. Loads and rates are those of the last full second; charts
 * show the loads and the rate of messages of the last minute.
 */
#include "status.h"

#include <ftl/clock.h>
#include <ftl/handle.h>
#include <ftl/process.h>
#include <ftl/spawn.h>
#include <ftl/system.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"

#define HARTS_MAX    8
#define SAMPLES      60
#define CHART_WIDTH  600
#define CHART_HEIGHT 120
#define CHART_STEP   (CHART_WIDTH / SAMPLES)
#define NSEC_PER_SEC 1000000000.0
#define PER_CENT     100

/* What was counted at one moment. */
struct sample {
    ftl_nsec_t time;
    ftl_nsec_t idle[HARTS_MAX];
    uint64_t switches;
    uint64_t messages;
    uint64_t requests;
};

static struct {
    ftl_handle_t system;
    struct sample last;
    uint32_t harts;
    double loads[SAMPLES][HARTS_MAX]; /* per cent, in a ring */
    double message_rates[SAMPLES];    /* per second, in the same ring */
    size_t sample_count;
    double switch_rate; /* per second */
    double request_rate;
} status;

void status_open(ftl_handle_t system)
{
    status.system = system;
    status_sample();
}

/* ---- Samples ---- */

static void count(struct sample *sample)
{
    struct ftl_hart_info info = { .index = 0 };
    ftl_clock_get(&sample->time);
    sample->requests = connection_counters.requests;
    status.harts = 0;
    while (status.harts < HARTS_MAX) {
        info.index = status.harts;
        if (ftl_system_hart_info(status.system, &info) != FTL_OK) {
            break;
        }
        sample->idle[status.harts++] = info.idle_time;
        sample->switches += info.switches;
        sample->messages += info.messages;
    }
}

void status_sample(void)
{
    struct sample sample = { 0 };
    count(&sample);
    double seconds = (double)(sample.time - status.last.time) / NSEC_PER_SEC;
    double *loads = status.loads[status.sample_count % SAMPLES];
    if (seconds <= 0) {
        return;
    }
    for (uint32_t i = 0; i < status.harts; i++) {
        double idle = (double)(sample.idle[i] - status.last.idle[i]) / NSEC_PER_SEC / seconds;
        double load = (1 - idle) * PER_CENT;
        loads[i] = load < 0 ? 0 : load;
    }
    status.message_rates[status.sample_count % SAMPLES] =
        (double)(sample.messages - status.last.messages) / seconds;
    status.switch_rate = (double)(sample.switches - status.last.switches) / seconds;
    status.request_rate = (double)(sample.requests - status.last.requests) / seconds;
    status.sample_count++;
    status.last = sample;
}

/* The load of a hart, so many samples ago. */
static double load(size_t ago, uint32_t hart)
{
    return status.loads[(status.sample_count - 1 - ago) % SAMPLES][hart];
}

/* The rate of messages; `series` is there for write_line(). */
static double message_rate(size_t ago, uint32_t series)
{
    (void)series;
    return status.message_rates[(status.sample_count - 1 - ago) % SAMPLES];
}

static size_t samples(void)
{
    return status.sample_count < SAMPLES ? status.sample_count : SAMPLES;
}

/* ---- Processes ---- */

/* The next one after `pid`; false: there is none. */
static bool next_process(uint64_t pid, struct ftl_process_info *info)
{
    ftl_handle_t process;
    if (ftl_system_next_process(status.system, pid, &process) != FTL_OK) {
        return false;
    }
    ftl_status_t result = ftl_process_info(process, info);
    ftl_handle_close(process);
    return result == FTL_OK;
}

static const char *state_name(uint32_t state)
{
    static const char *const names[] = { "new", "running", "exited" };
    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

/* ---- JSON ---- */

static void write_json_process(FILE *page, const struct ftl_process_info *info, bool is_first)
{
    fprintf(page,
            "%s\n{\"pid\":%" PRIu64 ",\"name\":\"%s\",\"isolation\":\"%s\",\"state\":\"%s\","
            "\"threads\":%" PRIu32 ",\"handles\":%" PRIu32 ",\"memory\":%" PRIu64
            ",\"cpu_seconds\":%.6f}",
            is_first ? "" : ",", info->pid, info->name,
            ftl_isolation_name((ftl_isolation_t)info->isolation), state_name(info->state),
            info->threads, info->handles, info->memory_used, (double)info->cpu_time / NSEC_PER_SEC);
}

static void write_json(FILE *page)
{
    struct ftl_system_info system = { 0 };
    struct ftl_process_info info = { .pid = 0 };
    ftl_system_info(status.system, &system);
    fprintf(page,
            "{\"uptime_seconds\":%.3f,\"memory_total\":%" PRIu64 ",\"memory_free\":%" PRIu64
            ",\"memory_kernel\":%" PRIu64 ",\"processes\":%" PRIu64 ",\"threads\":%" PRIu64
            ",\"handles\":%" PRIu64 ",\n\"switches_per_second\":%.1f,\"messages_per_second\":%.1f,"
            "\"messages\":%" PRIu64 ",\"requests_per_second\":%.1f,"
            "\"connections\":%" PRIu64 ",\"requests\":%" PRIu64 ",\"errors\":%" PRIu64
            ",\"bytes\":%" PRIu64 ",\n\"hart_load_percent\":[",
            (double)system.uptime / NSEC_PER_SEC, system.memory_total, system.memory_free,
            system.memory_kernel, system.processes, system.threads, system.handles,
            status.switch_rate, message_rate(0, 0), status.last.messages, status.request_rate,
            connection_counters.connections, connection_counters.requests,
            connection_counters.errors, connection_counters.bytes);
    for (uint32_t i = 0; i < status.harts; i++) {
        fprintf(page, "%s%.1f", i == 0 ? "" : ",", load(0, i));
    }
    fputs("],\n\"process_list\":[", page);
    for (bool is_first = true; next_process(info.pid, &info); is_first = false) {
        write_json_process(page, &info, is_first);
    }
    fputs("]}\n", page);
}

/* ---- HTML ---- */

static void begin_chart(FILE *page, const char *id)
{
    fprintf(page,
            "<svg id=\"%s\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
            "style=\"background:#f4f4f4\">\n",
            id, CHART_WIDTH, CHART_HEIGHT, CHART_WIDTH, CHART_HEIGHT);
}

/* The values of a series, the newest at the right; `full` is as high as the chart. */
static void write_line(FILE *page, const char *colour, double (*value)(size_t ago, uint32_t series),
                       uint32_t series, double full)
{
    fprintf(page, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour);
    for (size_t ago = samples(); ago-- != 0;) {
        double height = value(ago, series) * (CHART_HEIGHT - 4) / full;
        fprintf(page, "%zu,%.1f ", CHART_WIDTH - ago * CHART_STEP, CHART_HEIGHT - 2 - height);
    }
    fputs("\"/>\n", page);
}

static void write_loads(FILE *page)
{
    static const char *const colours[HARTS_MAX] = { "#0a6", "#06c", "#c60", "#a0a",
                                                    "#888", "#c03", "#390", "#036" };
    fputs("<h2>Load of the harts</h2><p>", page);
    for (uint32_t hart = 0; hart < status.harts; hart++) {
        fprintf(page, "<span style=\"color:%s\">hart %" PRIu32 ": %.1f %%</span> &nbsp; ",
                colours[hart], hart, load(0, hart));
    }
    fputs("</p>\n", page);
    begin_chart(page, "load");
    for (uint32_t hart = 0; hart < status.harts; hart++) {
        write_line(page, colours[hart], load, hart, PER_CENT);
    }
    fputs("</svg>\n", page);
}

static void write_messages(FILE *page)
{
    double most = 1;
    for (size_t ago = 0; ago < samples(); ago++) {
        most = message_rate(ago, 0) > most ? message_rate(ago, 0) : most;
    }
    fprintf(page,
            "<h2>Messages between processes</h2><p>%.0f messages/s, a call and its reply are one; "
            "%.0f at most in the last minute; %" PRIu64 " since boot</p>\n",
            message_rate(0, 0), most, status.last.messages);
    begin_chart(page, "messages");
    write_line(page, "#06c", message_rate, 0, most);
    fputs("</svg>\n", page);
}

static void write_html_processes(FILE *page)
{
    struct ftl_process_info info = { .pid = 0 };
    fputs(
        "<table id=\"processes\"><tr><th>PID<th>process<th>isolation<th>state<th>threads<th>handles"
        "<th>memory<th>CPU time\n",
        page);
    while (next_process(info.pid, &info)) {
        fprintf(page,
                "<tr><td>%" PRIu64 "<td>%s<td class=\"%s\">%s<td>%s<td>%" PRIu32 "<td>%" PRIu32
                "<td>%" PRIu64 " KiB<td>%.3f s\n",
                info.pid, info.name, ftl_isolation_name((ftl_isolation_t)info.isolation),
                ftl_isolation_name((ftl_isolation_t)info.isolation), state_name(info.state),
                info.threads, info.handles, info.memory_used / 1024,
                (double)info.cpu_time / NSEC_PER_SEC);
    }
    fputs("</table>\n", page);
}

static void write_html(FILE *page)
{
    struct ftl_system_info system = { 0 };
    ftl_system_info(status.system, &system);
    fputs("<!DOCTYPE html><html><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" "
          "content=\"2\"><title>FTL status</title><style>body{font-family:sans-serif;margin:2em}"
          "td,th{padding:.1em .8em;text-align:left}.sandbox{color:#0a6}.user{color:#06c}</style>"
          "</head><body><h1>FTL</h1>\n",
          page);
    fprintf(page,
            "<p>up %.1f s, memory %" PRIu64 " of %" PRIu64 " KiB free, %" PRIu64
            " processes, %" PRIu64 " threads, %" PRIu64 " handles</p>\n"
            "<p>%.0f thread switches/s, %.1f requests/s; %" PRIu64 " requests on %" PRIu64
            " connections, %" PRIu64 " bytes sent</p>\n",
            (double)system.uptime / NSEC_PER_SEC, system.memory_free / 1024,
            system.memory_total / 1024, system.processes, system.threads, system.handles,
            status.switch_rate, status.request_rate, connection_counters.requests,
            connection_counters.connections, connection_counters.bytes);
    write_loads(page);
    write_messages(page);
    fputs("<h2>Processes</h2>\n", page);
    write_html_processes(page);
    fputs("<p><a href=\"/status.json\">status.json</a></p></body></html>\n", page);
}

char *status_page(const char *path, size_t *size, const char **type)
{
    char *text = NULL;
    bool is_json = strcmp(path, "/status.json") == 0;
    if (!is_json && strcmp(path, "/status") != 0) {
        return NULL;
    }
    FILE *page = open_memstream(&text, size);
    if (page == NULL) {
        return NULL;
    }
    *type = is_json ? "application/json" : "text/html; charset=utf-8";
    if (is_json) {
        write_json(page);
    } else {
        write_html(page);
    }
    if (fclose(page) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
