/* What the files of the IPC benchmark share. */
#ifndef IPCBENCH_H
#define IPCBENCH_H

#include <ftl/status.h>
#include <ftl/types.h>

#define PAIRS_MAX    4
#define MESSAGE_SIZE 4096

/* Ends the program with a report unless the status is FTL_OK. */
void require(ftl_status_t status, const char *what);

/* Instructions retired until now. */
uint64_t instructions(void);

/* Prints "METRIC NUMBER", which scripts/bench reads. */
void print_metric(const char *prefix, const char *metric, uint64_t number);

/*
 * The server's part: serves the channels "channel0" and so on until their other ends are closed.
 * With `words` its messages are of eight bytes, in registers alone.
 */
int serve(bool words);

/*
 * Starts a server process with this isolation, for the part "serve" or "serve-words", and gives
 * back the clients' ends of its channels.
 */
ftl_handle_t server_start(ftl_isolation_t isolation, const char *part, ftl_handle_t ends[],
                          size_t count);

/* Closes the ends, and waits until the server has ended. */
void server_stop(ftl_handle_t server, const ftl_handle_t ends[], size_t count);

/* Round trips by several clients at once, each with a server thread of its own. */
void measure_pairs(const char *prefix, const ftl_handle_t ends[]);

/* What a poll costs with few and with many sources. */
void measure_poll(void);

#endif
