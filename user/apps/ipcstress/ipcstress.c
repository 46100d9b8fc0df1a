/*
 * Stresses messages: MEMBERS processes in a ring, in either isolation by turns of chance, pass
 * numbered messages and handles on. With "kill", some of them are killed meanwhile: then the others
 * see what came before, whole and in order, and the end.
 *
 *   ipcstress [kill] SEED    prints how the members ended, and exits with 0 if as they should
 */
#include "ipcstress.h"

#include <ftl/channel.h>
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/object.h>
#include <ftl/process.h>
#include <ftl/spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMBERS       64
#define MEMBER_MEMORY (UINT64_C(3) << 20)
#define SANDBOXES_MAX 24 /* there are not many more windows */
#define VICTIMS       5
#define KILLED        99 /* exit status of a victim */

static struct ring {
    struct ftl_bootimage image;
    struct ftl_app app;
    ftl_handle_t ins[MEMBERS];
    ftl_handle_t outs[MEMBERS];
    ftl_handle_t members[MEMBERS];
    bool victim[MEMBERS];
} ring;

static void require(ftl_status_t status, const char *what)
{
    if (status != FTL_OK) {
        fprintf(stderr, "ipcstress: %s: %s\n", what, ftl_strerror(status));
        exit(EXIT_FAILURE);
    }
}

/* Link i leads from member i to the next. */
static void make_links(void)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        uint64_t receiving;
        require(ftl_channel_create(&receiving, &ring.outs[i]), "channel_create");
        ring.ins[(i + 1) % MEMBERS] = receiving;
    }
}

static void start_member(size_t index, ftl_isolation_t isolation)
{
    static const char *const args[] = { "ipcstress", "member" };
    const struct ftl_spawn_handle offers[] = {
        { "console", ftl_environ_find(ftl_environ(), "console"), FTL_RIGHTS_SAME },
        { "in", ring.ins[index], FTL_RIGHTS_SAME },
        { "out", ring.outs[index], FTL_RIGHTS_SAME },
    };
    const struct ftl_spawn_options options = {
        .isolation = isolation,
        .args = args,
        .arg_count = 2,
        .handles = offers,
        .handle_count = 3,
    };
    const char *step = "";
    require(ftl_spawn(&ring.image, &ring.app, &options, &ring.members[index], &step), step);
    require(ftl_handle_close(ring.ins[index]), "close");
    require(ftl_handle_close(ring.outs[index]), "close");
}

static void kill_member(size_t index)
{
    ring.victim[index] = true;
    require(ftl_process_kill(ring.members[index], KILLED), "process_kill");
}

/*
 * With `kill` the first is killed before the last starts: no message has gone all the way round by
 * then, so that nobody gets all of them.
 */
static void start_members(bool kill)
{
    size_t sandboxes = 0;
    for (size_t i = 0; i < MEMBERS; i++) {
        if (kill && i == MEMBERS - 1) {
            kill_member(0);
        }
        bool sandbox = rand() % 2 == 0 && sandboxes < SANDBOXES_MAX;
        sandboxes += sandbox;
        start_member(i, sandbox ? FTL_ISOLATION_SANDBOX : FTL_ISOLATION_USER);
    }
}

static void kill_some(void)
{
    for (size_t i = 0; i < VICTIMS; i++) {
        kill_member((size_t)rand() % MEMBERS);
    }
}

static int32_t exit_status(ftl_handle_t member)
{
    struct ftl_wait_item item = { .handle = member, .interest = FTL_SIGNAL_EXITED };
    struct ftl_process_info info;
    size_t ready;
    require(ftl_object_wait(&item, 1, FTL_TIME_INFINITE, &ready), "object_wait");
    require(ftl_process_info(member, &info), "process_info");
    require(ftl_handle_close(member), "close");
    return info.exit_status;
}

/* Waits for all; returns how many ended as they may not. */
static size_t end_members(bool kill)
{
    size_t whole = 0;
    size_t cut = 0;
    size_t killed = 0;
    for (size_t i = 0; i < MEMBERS; i++) {
        int32_t status = exit_status(ring.members[i]);
        whole += status == MEMBER_OK;
        cut += kill && status == MEMBER_CUT;
        killed += ring.victim[i] && status == KILLED;
    }
    printf("%zu got all, %zu were cut off, %zu were killed\n", whole, cut, killed);
    return MEMBERS - whole - cut - killed;
}

int main(int argc, char **argv)
{
    bool kill = argc > 1 && strcmp(argv[1], "kill") == 0;
    if (argc > 1 && strcmp(argv[1], "member") == 0) {
        return member();
    }
    srand((unsigned)strtoul(argv[argc - 1], NULL, 10));
    require(ftl_bootimage_open(&ring.image, ftl_environ_find(ftl_environ(), "bootimage")),
            "boot image");
    require(ftl_app_find(&ring.image, "ipcstress", &ring.app), "app 'ipcstress'");
    ring.app.memory_limit = MEMBER_MEMORY;
    make_links();
    start_members(kill);
    if (kill) {
        kill_some();
    }
    size_t wrong = end_members(kill);
    printf("%zu ended wrongly\n", wrong);
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
