/* What the files of echo_client share. */
#ifndef ECHO_CLIENT_H
#define ECHO_CLIENT_H

#include <ftl/protocols/echo.h>

/* Ends the program with a message unless the status is FTL_OK. */
void require(ftl_status_t status, const char *what);

/* Connects to the service; ends the program if that is refused. */
ftl_handle_t connect_or_exit(void);

/* fuzz.c: sends the servers all kinds of malformed messages, `rounds` of them to each. */
int run_fuzz(const char *rounds);

#endif
