/* The service `socket`: its clients and their slots. */
#ifndef TCPIP_SERVER_H
#define TCPIP_SERVER_H

#include <ftl/server.h>

extern struct ftl_server socket_server;

#endif
