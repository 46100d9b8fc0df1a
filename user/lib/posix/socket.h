/* What the files that make up sockets share: see socket.c. */
#ifndef POSIX_SOCKET_H
#define POSIX_SOCKET_H

#include <pthread.h>

#include "descriptor.h"
#include "socket_slot.h"

/* A socket. `lock` guards our ends of the rings and what may change. */
struct socket {
    struct description description;
    struct socket_slot *slot;
    struct epoll_entry *watchers;
    pthread_mutex_t lock;
    int family; /* AF_INET, AF_INET6 */
    enum socket_kind kind;
    bool is_connecting;
    bool read_shut;
    bool write_shut;
    bool error_told;            /* the slot's error was returned: what comes now is the end */
    ftl_nsec_t receive_timeout; /* 0: none */
    ftl_nsec_t send_timeout;
};

/* The errno for what the stack answers, negated. */
long socket_error(ftl_status_t status);

/* The errno for why there is no connection any more, negated; 0: in good order. Told once. */
long socket_take_error(struct socket *socket);

/* resolver.c: nothing at all, but that it is part of the program then. */
void socket_use_resolver(void);

/* socket_options.c */
long socket_set_option_of(struct description *self, int level, int name, const void *value,
                          socklen_t size);
long socket_get_option_of(struct description *self, int level, int name, void *value,
                          socklen_t *size);

#endif
