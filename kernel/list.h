/* Intrusive doubly linked circular list. The head is a node of its own; no locking of its own. */
#ifndef KERNEL_LIST_H
#define KERNEL_LIST_H

#include "kernel/types.h"

struct list {
    struct list *next;
    struct list *prev;
};

#define LIST_INIT(name) { &(name), &(name) }

static inline void list_init(struct list *node)
{
    node->next = node;
    node->prev = node;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_insert_between(struct list *node, struct list *prev, struct list *next)
{
    node->prev = prev;
    node->next = next;
    prev->next = node;
    next->prev = node;
}

static inline void list_push_front(struct list *head, struct list *node)
{
    list_insert_between(node, head, head->next);
}

static inline void list_push_back(struct list *head, struct list *node)
{
    list_insert_between(node, head->prev, head);
}

/* Takes the node out; what it holds afterwards means nothing. */
static inline void list_unlink(struct list *node)
{
    struct list *prev = node->prev;
    struct list *next = node->next;
    prev->next = next;
    next->prev = prev;
}

/* Takes the node out and leaves it empty, so that removing it again does nothing. */
static inline void list_remove(struct list *node)
{
    list_unlink(node);
    list_init(node);
}

/* Returns the first node, taken out, or NULL. */
static inline struct list *list_pop_front(struct list *head)
{
    struct list *node = head->next;
    if (node == head) {
        return NULL;
    }
    list_remove(node);
    return node;
}

#define LIST_ENTRY(node, type, member) CONTAINER_OF(node, type, member)

/* Safe against removal of `entry` inside the body. */
#define LIST_FOR_EACH(entry, head, type, member)                                                   \
    for (struct list *entry##_node = (head)->next, *entry##_next = entry##_node->next;             \
         entry##_node != (head) && ((entry) = LIST_ENTRY(entry##_node, type, member), true);       \
         entry##_node = entry##_next, entry##_next = entry##_node->next)

#endif
