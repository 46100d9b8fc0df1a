/*
 * The web server. It serves files of the boot image, from the handle `files`, and the state of the
 * system, from the handle `statistics`; both can only be read. Listens at port 80, or where a boot
 * argument `ftl.httpd.port=N` says.
 */
#include <ftl/environ.h>
#include <ftl/spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "files.h"
#include "server.h"
#include "status.h"

#define DEFAULT_PORT 80
#define PORT_WORD    "ftl.httpd.port="

static uint16_t port_of(int argc, char **argv)
{
    uint16_t port = DEFAULT_PORT;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], PORT_WORD, strlen(PORT_WORD)) == 0) {
            port = (uint16_t)strtoul(argv[i] + strlen(PORT_WORD), NULL, 10);
        }
    }
    return port;
}

int main(int argc, char **argv)
{
    struct ftl_bootimage image = { .size = 0 };
    ftl_status_t status = ftl_bootimage_open(&image, ftl_environ_find(ftl_environ(), "files"));
    if (status != FTL_OK) {
        fprintf(stderr, "httpd: cannot map the files: %s\n", ftl_strerror(status));
        return EXIT_FAILURE;
    }
    if (!files_open(image.data, image.size)) {
        fprintf(stderr, "httpd: no memory for the list of files\n");
        return EXIT_FAILURE;
    }
    status_open(ftl_environ_find(ftl_environ(), "statistics"));
    connection_page = status_page;
    return server_run(port_of(argc, argv), status_sample);
}
