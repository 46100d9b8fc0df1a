/* Accounts on the heap: see account.h. */
#include "mm/account.h"

#include "kernel/assert.h"
#include "mm/slab.h"

struct account *account_create(uint64_t limit)
{
    struct account *account = kalloc(sizeof(*account));
    if (account != NULL) {
        account_init(account, limit);
    }
    return account;
}

struct account *account_get(struct account *account)
{
    __atomic_fetch_add(&account->refs, 1, __ATOMIC_RELAXED);
    return account;
}

struct account *account_create_from(struct account *lender, uint64_t limit, ftl_status_t *status)
{
    *status = FTL_ERR_LIMIT;
    if (!account_charge(lender, limit)) {
        return NULL;
    }
    struct account *account = account_create(limit);
    if (account == NULL) {
        account_release(lender, limit);
        *status = FTL_ERR_NO_MEMORY;
        return NULL;
    }
    if (lender != NULL) {
        __atomic_fetch_add(&lender->lent, limit, __ATOMIC_RELAXED);
        account->lender = account_get(lender);
        account->depth = lender->depth + 1;
    }
    *status = FTL_OK;
    return account;
}

/* Drops a reference. The last one ends the account: then the lender's is to be dropped next. */
static struct account *put_one(struct account *account)
{
    if (__atomic_sub_fetch(&account->refs, 1, __ATOMIC_ACQ_REL) != 0) {
        return NULL;
    }
    ASSERT(account->used == 0 && account->windows == 0);
    struct account *lender = account->lender;
    if (lender != NULL) {
        __atomic_fetch_sub(&lender->lent, account->limit, __ATOMIC_RELAXED);
        account_release(lender, account->limit);
    }
    kfree(account, sizeof(*account));
    return lender;
}

void account_put(struct account *account)
{
    while (account != NULL) {
        account = put_one(account);
    }
}

static uint32_t windows_max(const struct account *account, uint32_t total)
{
    uint64_t spared = (uint64_t)account->depth * ACCOUNT_WINDOWS_SPARED;
    return spared < total ? total - (uint32_t)spared : 0;
}

/* Counts a window out for an account and its lenders, up to `end`. */
static void release_until(struct account *account, const struct account *end)
{
    for (; account != end; account = account->lender) {
        __atomic_fetch_sub(&account->windows, 1, __ATOMIC_RELAXED);
    }
}

/* Counts it in; false: one of them has as many as it may, and nothing is changed. */
static bool take_until(struct account *account, const struct account *end, uint32_t total)
{
    for (struct account *at = account; at != end; at = at->lender) {
        if (__atomic_add_fetch(&at->windows, 1, __ATOMIC_RELAXED) > windows_max(at, total)) {
            release_until(account, at->lender);
            return false;
        }
    }
    return true;
}

bool account_take_window(struct account *account, uint32_t total)
{
    return take_until(account, NULL, total);
}

void account_release_window(struct account *account)
{
    release_until(account, NULL);
}

bool account_move_window(struct account *from, struct account *to, uint32_t total)
{
    const struct account *lender = to;
    while (lender != NULL && lender != from) {
        lender = lender->lender;
    }
    /* What lies above `from` has counted it already. */
    bool moved = take_until(to, lender, total);
    if (moved && lender == NULL) {
        release_until(from, NULL);
    }
    return moved;
}
