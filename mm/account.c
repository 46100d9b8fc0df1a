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

void account_put(struct account *account)
{
    if (__atomic_sub_fetch(&account->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        ASSERT(account->used == 0);
        kfree(account, sizeof(*account));
    }
}
