/*
 * A connection to a client: requests come in, are parsed as they come, and answered one after the
 * other, also when several were sent at once. Nothing here waits; the server's loop calls it when
 * the socket is ready, or a deadline has passed.
 */
#ifndef HTTPD_CONNECTION_H
#define HTTPD_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECONDS(n) ((int64_t)(n) * 1000000000)

/* How long a client may take: for a request from its first byte on, between requests, and to take
 * something of an answer. */
#define REQUEST_TIME SECONDS(10)
#define IDLE_TIME    SECONDS(15)
#define ANSWER_TIME  SECONDS(20)

#define HEAD_SIZE_MAX 8192  /* bytes of a request without its body: more is 431 */
#define URL_SIZE_MAX  2048  /* 414 */
#define BODY_SIZE_MAX 65536 /* of a body that nobody wants: 413 */

struct connection;

/* What the loop waits for. */
enum connection_wants {
    CONNECTION_WANTS_INPUT,
    CONNECTION_WANTS_ROOM, /* for output */
    CONNECTION_IS_DONE,    /* it is to be closed */
};

/* For a socket that does not block, which it closes in the end; NULL: no memory. Times are
 * monotonic ns. `is_refused`: there are too many, and the answer is 503. */
struct connection *connection_new(int fd, int64_t now, bool is_refused);
void connection_free(struct connection *connection);

int connection_fd(const struct connection *connection);
int64_t connection_deadline(const struct connection *connection);

/* Does what can be done now. */
enum connection_wants connection_work(struct connection *connection, int64_t now);

/* Its deadline has passed: a client in the middle of a request is told so (408). */
enum connection_wants connection_expire(struct connection *connection, int64_t now);

/* What all connections did. */
struct connection_counters {
    uint64_t connections;
    uint64_t requests;
    uint64_t errors; /* answers with status 400 and above */
    uint64_t bytes;  /* sent */
};
extern struct connection_counters connection_counters;

/*
 * Pages that are made when they are asked for. Given to the connections by the server's author:
 * returns the page's contents, to be freed, or NULL when there is none of this path.
 */
typedef char *(*connection_page_t)(const char *path, size_t *size, const char **type);
extern connection_page_t connection_page;

#endif
