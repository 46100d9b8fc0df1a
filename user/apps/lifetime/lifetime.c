/*
 * Kills processes at random moments of all that victim.c does, many times, and compares what the
 * kernel has afterwards with what it had before: objects of each kind, handles, free memory.
 *
 *   lifetime [ROUNDS [SEED]]
 */
#include <ftl/channel.h>
#include <ftl/clock.h>
#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/object.h>
#include <ftl/process.h>
#include <ftl/spawn.h>
#include <ftl/system.h>
#include <ftl/thread.h>
#include <ftl/vmspace.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lifetime.h"

#define ROUNDS_DEFAULT 300
#define WARM_UP        200
#define AT_ONCE        6 /* processes alive */
#define VICTIM_MEMORY  (UINT64_C(8) << 20)
#define PAUSE          1000000 /* ns */

void require(ftl_status_t status, const char *what)
{
    if (status != FTL_OK) {
        fprintf(stderr, "lifetime: %s: %s\n", what, ftl_strerror(status));
        exit(EXIT_FAILURE);
    }
}

/* xorshift: the same sequence for the same seed. */
static uint64_t random_state;

static unsigned below(unsigned limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state % limit);
}

/* One that is alive, or not there: process is FTL_HANDLE_INVALID. */
struct victim {
    ftl_handle_t process;
    ftl_handle_t end; /* of the channel to it */
    unsigned kind;
};

struct killer {
    struct ftl_bootimage image;
    struct ftl_app app;
    ftl_handle_t system;
    struct victim victims[AT_ONCE];
};

static void start(struct killer *killer, struct victim *victim)
{
    char kind[12];
    const char *step = "";
    const char *const args[] = { "lifetime", VICTIM_MAIN_ARGUMENT, kind };
    ftl_handle_t peer;
    require(ftl_channel_create(&peer, &victim->end), "channel_create");
    const struct ftl_spawn_handle handles[] = {
        { "console", ftl_environ_find(ftl_environ(), "console"), FTL_RIGHTS_SAME },
        { "bootimage", killer->image.vmo, FTL_RIGHTS_SAME },
        { "peer", peer, FTL_RIGHTS_SAME },
    };
    const struct ftl_spawn_options options = {
        .isolation = below(2) == 0 ? FTL_ISOLATION_USER : FTL_ISOLATION_SANDBOX,
        .args = args,
        .arg_count = 3,
        .handles = handles,
        .handle_count = 3,
    };
    victim->kind = below(victim_kinds);
    snprintf(kind, sizeof(kind), "%u", victim->kind);
    require(ftl_spawn(&killer->image, &killer->app, &options, &victim->process, &step), step);
    require(ftl_handle_close(peer), "close");
}

/* Lets it come as far as it may. */
static void let_run(void)
{
    ftl_nsec_t now = 0;
    switch (below(4)) {
    case 0: break;
    case 1: ftl_thread_yield(); break;
    default:
        ftl_clock_get(&now);
        ftl_thread_sleep(now + below(PAUSE));
        break;
    }
}

static void finish(struct victim *victim)
{
    struct ftl_wait_item item = { .handle = victim->process, .interest = FTL_SIGNAL_EXITED };
    struct ftl_process_info info;
    size_t ready;
    bool close_first = below(2) == 0;
    if (close_first) {
        require(ftl_handle_close(victim->end), "close");
    }
    require(ftl_process_kill(victim->process, FTL_EXIT_KILLED), "process_kill");
    require(ftl_object_wait(&item, 1, FTL_TIME_INFINITE, &ready), "object_wait");
    require(ftl_process_info(victim->process, &info), "process_info");
    if (info.exit_status != FTL_EXIT_KILLED && info.exit_status != 0) {
        fprintf(stderr, "lifetime: a victim of kind %u ended with status %d\n", victim->kind,
                info.exit_status);
        exit(EXIT_FAILURE);
    }
    require(ftl_handle_close(victim->process), "close");
    if (!close_first) {
        require(ftl_handle_close(victim->end), "close");
    }
    victim->process = FTL_HANDLE_INVALID;
}

static void kill_many(struct killer *killer, unsigned long rounds)
{
    for (unsigned long round = 0; round < rounds; round++) {
        struct victim *victim = &killer->victims[below(AT_ONCE)];
        if (victim->process != FTL_HANDLE_INVALID) {
            let_run();
            finish(victim);
        }
        start(killer, victim);
    }
    for (unsigned i = 0; i < AT_ONCE; i++) {
        if (killer->victims[i].process != FTL_HANDLE_INVALID) {
            finish(&killer->victims[i]);
        }
    }
}

/* Takes a snapshot once those whom victims started have ended too. */
static void settle(struct killer *killer, uint64_t processes, struct snapshot *snapshot)
{
    ftl_nsec_t now = 0;
    for (;;) {
        snapshot_take(snapshot, killer->system);
        if (snapshot->info.processes <= processes) {
            return;
        }
        ftl_clock_get(&now);
        ftl_thread_sleep(now + PAUSE);
    }
}

/* Uses every window that there may be at once: the kernel keeps the upper page tables of each. */
static void use_windows(void)
{
    ftl_handle_t windows[4 * AT_ONCE];
    for (unsigned i = 0; i < 4 * AT_ONCE; i++) {
        require(ftl_vmspace_create(FTL_ISOLATION_SANDBOX, &windows[i]), "vmspace_create");
    }
    for (unsigned i = 0; i < 4 * AT_ONCE; i++) {
        require(ftl_handle_close(windows[i]), "close");
    }
}

static int kill_and_compare(unsigned long rounds)
{
    static struct killer killer;
    static struct snapshot before;
    static struct snapshot after;
    const struct ftl_environ *env = ftl_environ();
    killer.system = ftl_environ_find(env, "system");
    require(ftl_bootimage_open(&killer.image, ftl_environ_find(env, "bootimage")), "boot image");
    require(ftl_app_find(&killer.image, "lifetime", &killer.app), "own manifest");
    killer.app.memory_limit = VICTIM_MEMORY;
    snapshot_take(&before, killer.system);
    snapshot_take(&after, killer.system); /* brings its pages in */
    uint64_t processes = before.info.processes;
    use_windows();
    kill_many(&killer, WARM_UP); /* makes what stays: caches, tables of the largest size */
    settle(&killer, processes, &before);
    kill_many(&killer, rounds);
    settle(&killer, processes, &after);
    if (!snapshot_same(&before, &after)) {
        return EXIT_FAILURE;
    }
    printf("lifetime: %lu processes killed, nothing stayed\n", rounds);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], VICTIM_MAIN_ARGUMENT) == 0) {
        victim_main((unsigned)strtoul(argv[2], NULL, 10));
    }
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS_DEFAULT;
    random_state = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    if (rounds == 0 || random_state == 0) {
        fprintf(stderr, "usage: lifetime [ROUNDS [SEED]], neither 0\n");
        return EXIT_FAILURE;
    }
    return kill_and_compare(rounds);
}
