/* Prints the addresses of a name, as the C library's resolver finds them. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
    struct addrinfo *found;
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    char address[INET6_ADDRSTRLEN];
    if (argc != 2) {
        fprintf(stderr, "usage: nslookup NAME\n");
        return EXIT_FAILURE + 1;
    }
    int error = getaddrinfo(argv[1], NULL, &hints, &found);
    if (error != 0) {
        fprintf(stderr, "nslookup: %s: %s\n", argv[1], gai_strerror(error));
        return EXIT_FAILURE;
    }
    for (const struct addrinfo *each = found; each != NULL; each = each->ai_next) {
        getnameinfo(each->ai_addr, each->ai_addrlen, address, sizeof(address), NULL, 0,
                    NI_NUMERICHOST);
        printf("%s has address %s\n", argv[1], address);
    }
    freeaddrinfo(found);
    return EXIT_SUCCESS;
}
