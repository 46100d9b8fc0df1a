/* What takes several harts: under -icount the counter adds up the instructions of all. */
#include <ftl/clock.h>
#include <ftl/handle.h>
#include <ftl/thread.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

#define HARTS_MAX  16
#define UNITS      20000 /* of work, for each thread */
#define UNIT_STEPS 200

void stay_on(uint64_t harts)
{
    ftl_handle_t self;
    require(ftl_thread_self(&self), "thread_self");
    require(ftl_thread_set_affinity(self, harts), "thread_set_affinity");
    require(ftl_handle_close(self), "close");
}

/* A unit is some arithmetic, a call and two uses of the thread's own handle. */
static void *work(void *context)
{
    volatile uint64_t *sum = context;
    for (unsigned unit = 0; unit < UNITS; unit++) {
        ftl_handle_t self;
        uint64_t value = *sum;
        for (unsigned step = 0; step < UNIT_STEPS; step++) {
            value = value * 6364136223846793005u + 1;
        }
        *sum = value;
        require(ftl_thread_self(&self), "thread_self");
        require(ftl_handle_close(self), "close");
    }
    return NULL;
}

void measure_harts(unsigned count)
{
    static uint64_t sums[HARTS_MAX];
    pthread_t threads[HARTS_MAX];
    if (count == 0 || count > HARTS_MAX) {
        fprintf(stderr, "bench: 1 to %d harts\n", HARTS_MAX);
        exit(EXIT_FAILURE);
    }
    uint64_t start = instructions();
    for (unsigned i = 0; i < count; i++) {
        require(pthread_create(&threads[i], NULL, work, &sums[i]) == 0 ? FTL_OK : FTL_ERR_NO_MEMORY,
                "pthread_create");
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("unit_of_work_on_each_of_%u_harts %llu\n", count,
           (unsigned long long)((instructions() - start) / count / UNITS));
    if (count > 1) {
        struct ping_pong pair = { .harts = 2 };
        stay_on(1);
        measure_notification("notification_between_harts_there_and_back", &pair);
    }
}
