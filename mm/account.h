/*
 * Memory accounts: every page and object made for a process is charged to it, up to its limit, so
 * that exhausting memory fails the process that does it and nobody else. Lock-free.
 */
#ifndef MM_ACCOUNT_H
#define MM_ACCOUNT_H

#include <ftl/status.h>

#include "kernel/types.h"

struct account {
    uint64_t used;  /* bytes; changed atomically */
    uint64_t limit; /* bytes; fixed */
    uint64_t lent;  /* of `used`: limits of accounts made from this one; changed atomically */
    struct account *lender; /* a reference, or NULL; fixed */
    uint32_t refs;          /* of those made by account_create(); atomic */
    uint32_t depth;         /* how many lenders there are, one above the other; fixed */
    uint32_t windows; /* of sandboxes, held by this account and by those made from it; atomic */
};

/* An account of its own, with one reference: it outlives its process while objects are charged to
 * it. NULL: no memory. */
struct account *account_create(uint64_t limit);

/*
 * The same with a limit that the lender, who may be NULL, is charged with as long as the account
 * lives: whatever processes are made, together they take no more than the first one may. NULL with
 * *status: LIMIT, NO_MEMORY.
 */
struct account *account_create_from(struct account *lender, uint64_t limit, ftl_status_t *status);

struct account *account_get(struct account *account);
void account_put(struct account *account);

/*
 * Windows of sandboxes, `total` of which there are: together with all accounts that are made from
 * it, an account can hold all but ACCOUNT_WINDOWS_SPARED for each lender above it, so that each
 * lender can start some more whatever those take to whom it lends. False: it has as many.
 */
#define ACCOUNT_WINDOWS_SPARED 4
bool account_take_window(struct account *account, uint32_t total);
void account_release_window(struct account *account);

/* One that `from` holds goes to another account, which may be made from it. False: as above. */
bool account_move_window(struct account *from, struct account *to, uint32_t total);

static inline void account_init(struct account *account, uint64_t limit)
{
    *account = (struct account){ 0 };
    account->limit = limit;
    account->refs = 1;
}

/* Charges `bytes`; false, and nothing charged, when the limit would be passed. NULL is the kernel
 * itself. */
static inline bool account_charge(struct account *account, size_t bytes)
{
    if (account == NULL) {
        return true;
    }
    uint64_t used = __atomic_load_n(&account->used, __ATOMIC_RELAXED);
    do {
        if (bytes > account->limit || used > account->limit - bytes) {
            return false;
        }
    } while (!__atomic_compare_exchange_n(&account->used, &used, used + bytes, true,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return true;
}

static inline void account_release(struct account *account, size_t bytes)
{
    if (account != NULL) {
        __atomic_fetch_sub(&account->used, bytes, __ATOMIC_RELAXED);
    }
}

#endif
