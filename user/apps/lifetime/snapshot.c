/* What the kernel has: objects of each kind, handles, free memory. */
#include <ftl/system.h>
#include <inttypes.h>
#include <stdio.h>

#include "lifetime.h"

void snapshot_take(struct snapshot *snapshot, ftl_handle_t system)
{
    require(ftl_system_info(system, &snapshot->info), "system_info"); /* caches give back pages */
    require(ftl_system_objects(system, snapshot->counts, SNAPSHOT_KINDS_MAX, &snapshot->kinds),
            "system_objects");
    require(snapshot->kinds <= SNAPSHOT_KINDS_MAX ? FTL_OK : FTL_ERR_TOO_SMALL, "snapshot");
}

static bool same(const char *what, uint64_t before, uint64_t after)
{
    if (before != after) {
        printf("lifetime: %s: %" PRIu64 " before, %" PRIu64 " after\n", what, before, after);
    }
    return before == after;
}

bool snapshot_same(const struct snapshot *before, const struct snapshot *after)
{
    bool all = same("processes", before->info.processes, after->info.processes);
    all &= same("threads", before->info.threads, after->info.threads);
    all &= same("handles", before->info.handles, after->info.handles);
    all &= same("bytes free", before->info.memory_free, after->info.memory_free);
    all &= same("kinds of objects", before->kinds, after->kinds);
    for (size_t i = 0; i < before->kinds && i < after->kinds; i++) {
        all &= same(before->counts[i].name, before->counts[i].count, after->counts[i].count);
        all &= same("bytes of these", before->counts[i].memory, after->counts[i].memory);
    }
    return all;
}
