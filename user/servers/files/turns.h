/*
 * A lock that goes to those who want it in the order in which they came. An ordinary mutex would
 * starve clients: who has just let it go and wants it again at once, while the one that was woken
 * has yet to run, gets it before the other for as long as it is busy.
 */
#ifndef FILES_TURNS_H
#define FILES_TURNS_H

#include <stdint.h>

#define TURNS_SLOTS 16u /* a power of two */

/* All zero: free. */
struct turns {
    uint32_t next;                /* the number that who comes next draws */
    uint32_t now;                 /* whose turn it is */
    uint32_t called[TURNS_SLOTS]; /* the last number of each slot that was called: to wait for */
};

void turns_take(struct turns *turns);

/* By who has it. */
void turns_pass(struct turns *turns);

#endif
