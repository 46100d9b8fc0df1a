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
    ASSERT(account->used == 0);
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
