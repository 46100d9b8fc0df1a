/*
 * Included before every file of the simulated kernel: each atomic access, spinlocks' included, is a
 * point where the simulator may let another hart go on (sim.h). A macro's own name inside it is the
 * builtin again.
 */
#ifndef SIM_YIELD_POINTS_H
#define SIM_YIELD_POINTS_H

void sim_point(void);

#define __atomic_load_n(p, order)        (sim_point(), __atomic_load_n(p, order))
#define __atomic_store_n(p, v, order)    (sim_point(), __atomic_store_n(p, v, order))
#define __atomic_exchange_n(p, v, order) (sim_point(), __atomic_exchange_n(p, v, order))
#define __atomic_fetch_add(p, v, order)  (sim_point(), __atomic_fetch_add(p, v, order))
#define __atomic_fetch_sub(p, v, order)  (sim_point(), __atomic_fetch_sub(p, v, order))
#define __atomic_fetch_or(p, v, order)   (sim_point(), __atomic_fetch_or(p, v, order))
#define __atomic_fetch_and(p, v, order)  (sim_point(), __atomic_fetch_and(p, v, order))
#define __atomic_add_fetch(p, v, order)  (sim_point(), __atomic_add_fetch(p, v, order))
#define __atomic_sub_fetch(p, v, order)  (sim_point(), __atomic_sub_fetch(p, v, order))
#define __atomic_compare_exchange_n(p, e, v, weak, success, failure)                               \
    (sim_point(), __atomic_compare_exchange_n(p, e, v, weak, success, failure))

#endif
