/* The server's loop: see server.c. */
#ifndef HTTPD_SERVER_H
#define HTTPD_SERVER_H

#include <stdint.h>

#define CONNECTIONS_MAX 200 /* more are told to come again later */

/* Serves at the port until something fails that cannot be put right; returns an exit status. `tick`
 * is called about once a second. */
int server_run(uint16_t port, void (*tick)(void));

#endif
