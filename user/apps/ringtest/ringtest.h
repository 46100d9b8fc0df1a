/*
 * ringtest: processes of one program in one vmspace, which share a ring. The one that was started
 * by the shell (ringtest.c) starts the others (peer.c) with handles to the ring's memory, to its
 * two notifications, and to itself.
 */
#ifndef RINGTEST_H
#define RINGTEST_H

#include <ftl/ring.h>

#define PAYLOAD 56u /* a slot is a line */
#define SLOTS   64u
#define ITEMS   5000u /* of each producer */
#define END     UINT64_MAX

/* What is behind the ring in its memory: what consumers have received. */
struct results {
    uint64_t count;
    uint64_t sum;
};

/* The ring as a process has it. */
struct place {
    ftl_handle_t memory;
    ftl_handle_t data;
    ftl_handle_t space;
    void *ring;
    struct results *results;
};

/* Ends the program with a message unless the status is FTL_OK. */
void require(ftl_status_t status, const char *what);

/* Maps the memory into the calling process. */
void map_place(struct place *place);

void open_end(struct ftl_ring *ring, const struct place *place, bool consumes, bool multi,
              ftl_handle_t peer);

/* Sleeping if need be. PEER_CLOSED: the peer has ended. */
ftl_status_t push(struct ftl_ring *ring, uint64_t value);
ftl_status_t pop(struct ftl_ring *ring, uint64_t *value);

/* The main function of a peer, which is one of these. */
int peer_main(const char *role);
#define ROLE_PRODUCER       "producer"
#define ROLE_CONSUMER       "consumer"
#define ROLE_MULTI_PRODUCER "multi-producer"
#define ROLE_MULTI_CONSUMER "multi-consumer"
#define ROLE_DYING          "dying"   /* a producer that ends without a word */
#define ROLE_SLEEPER        "sleeper" /* leaves all in the ring */
#define ROLE_VANDAL         "vandal"

/* cost.c: prints what a push and a pop cost, in instructions. */
void print_cost(const struct place *place);

#endif
