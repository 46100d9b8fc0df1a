/*
 * A lock that nobody waits for in vain. Those who wait have it in the order of their coming. Who
 * comes while it is free takes it before them, since it would lie idle until a thread that sleeps
 * has woken up; but only so often: an ordinary mutex, where that is always so, starves whoever
 * meets a client that is busy.
 */
#ifndef FILES_TURNS_H
#define FILES_TURNS_H

#include <stdint.h>

#define TURNS_SLOTS 16u /* a power of two */
#define TURNS_AHEAD 8u  /* so many go ahead of those who wait; with several harts some more */

/* All zero: free. */
struct turns {
    uint32_t state;               /* whether somebody has it: an enum in turns.c */
    uint32_t waiters;             /* those who have drawn a number */
    uint32_t ahead;               /* how many went ahead of the first of them */
    uint32_t next;                /* the number that who comes next draws */
    uint32_t now;                 /* whose turn it is to have the lock next */
    uint32_t called[TURNS_SLOTS]; /* the last number of each slot that was called: to wait for */
};

void turns_take(struct turns *turns);

/* By who has it. */
void turns_pass(struct turns *turns);

#endif
