/* The parts of lifetime: the one that kills, what it kills, and what it compares. */
#ifndef LIFETIME_H
#define LIFETIME_H

#include <ftl/status.h>
#include <ftl/types.h>

/* Ends the program with a message when a call that must not fail did. */
void require(ftl_status_t status, const char *what);

/* A process that is to be killed: stays in the state of this number for ever. */
#define VICTIM_MAIN_ARGUMENT "victim"
extern const unsigned victim_kinds;
_Noreturn void victim_main(unsigned kind);

/* All that the kernel has, at one time. */
#define SNAPSHOT_KINDS_MAX 64
struct snapshot {
    struct ftl_object_count counts[SNAPSHOT_KINDS_MAX];
    size_t kinds;
    struct ftl_system_info info;
};

void snapshot_take(struct snapshot *snapshot, ftl_handle_t system);

/* Prints every difference; false when there was one. */
bool snapshot_same(const struct snapshot *before, const struct snapshot *after);

#endif
