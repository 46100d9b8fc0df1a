/* Sessions: see session.h. */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "lock.h"

#define CAPACITY_MIN 16u

static uint32_t opened_count;

/* ---- Open files ---- */

ftl_status_t opened_create(struct file *file, uint32_t access, struct opened **created)
{
    ftl_status_t status = FTL_ERR_LIMIT;
    struct opened *opened = NULL;
    if (opened_count < OPENED_MAX) {
        status = FTL_ERR_NO_MEMORY;
        opened = calloc(1, sizeof(*opened));
    }
    if (opened == NULL) {
        file_release(file);
        return status;
    }
    opened_count++;
    opened->file = file;
    opened->access = access;
    *created = opened;
    return FTL_OK;
}

void opened_discard(struct opened *opened)
{
    opened_count--;
    file_release(opened->file);
    free(opened);
}

/* ---- Numbers ---- */

struct session *session_create(struct opened *root)
{
    struct session *session = calloc(1, sizeof(*session));
    struct opened **numbers = calloc(CAPACITY_MIN, sizeof(struct opened *));
    if (session == NULL || numbers == NULL) {
        free(session);
        free(numbers);
        return NULL;
    }
    session->numbers = numbers;
    session->capacity = CAPACITY_MIN;
    session->free_from = 1;
    if (root != NULL) {
        session_put(session, 0, root);
    }
    return session;
}

void session_destroy(struct session *session)
{
    for (uint32_t i = 0; i < session->capacity; i++) {
        if (session->numbers[i] != NULL) {
            session_remove(session, i);
        }
    }
    client_memory_unmap(&session->memory);
    free(session->numbers);
    free(session);
}

struct opened *session_find(const struct session *session, uint32_t number)
{
    return number < session->capacity ? session->numbers[number] : NULL;
}

ftl_status_t session_grow(struct session *session)
{
    uint32_t capacity = session->capacity * 2;
    if (capacity > NUMBERS_MAX) {
        return FTL_ERR_LIMIT;
    }
    struct opened **numbers = realloc(session->numbers, (size_t)capacity * sizeof(struct opened *));
    if (numbers == NULL) {
        return FTL_ERR_NO_MEMORY;
    }
    memset(numbers + session->capacity, 0, session->capacity * sizeof(struct opened *));
    session->numbers = numbers;
    session->capacity = capacity;
    return FTL_OK;
}

ftl_status_t session_reserve(struct session *session, uint32_t *number)
{
    uint32_t lowest = session->free_from;
    while (lowest < session->capacity && session->numbers[lowest] != NULL) {
        lowest++;
    }
    session->free_from = lowest;
    *number = lowest;
    return lowest < session->capacity ? FTL_OK : session_grow(session);
}

void session_put(struct session *session, uint32_t number, struct opened *opened)
{
    opened->references++;
    session->numbers[number] = opened;
}

void session_remove(struct session *session, uint32_t number)
{
    struct opened *opened = session->numbers[number];
    session->numbers[number] = NULL;
    if (number != 0 && number < session->free_from) {
        session->free_from = number;
    }
    locks_drop(opened->file, session);
    if (--opened->references == 0) {
        opened_discard(opened);
    }
}
