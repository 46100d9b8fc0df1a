/*
 * Tests of processes as POSIX has them, from inside: pipes, posix_spawn(), what children inherit,
 * waiting for them, and signals. Each part is a word of the command line, before which the
 * isolation of the children can be. `proctest as ROLE` is a child.
 */
#include "proctest.h"

#include <stdlib.h>
#include <string.h>

static const struct check_part parts[] = {
    { "pipes", test_pipes },     { "polling", test_polling },
    { "spawn", test_spawn },     { "inheritance", test_inheritance },
    { "waiting", test_waiting }, { "signals", test_signals },
    { "files", test_files },     { "exec", test_exec },
    { "shell", test_shell },
};

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "as") == 0) {
        return child_main(argc, argv);
    }
    if (argc > 1 && (strcmp(argv[1], "user") == 0 || strcmp(argv[1], "sandbox") == 0)) {
        setenv("FTL_ISOLATION", argv[1], 1);
        argv++;
        argc--;
    }
    return check_run(parts, sizeof(parts) / sizeof(parts[0]), argc, argv);
}
