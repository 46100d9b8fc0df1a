/*
 * Exercises calls on threads, errors included, the scheduler and <ftl/sync.h>, and says what is not
 * as documented. With names of parts as arguments: these alone.
 */
#include "threadtest.h"

int main(int argc, char **argv)
{
    static const struct check_part parts[] = {
        { "calls", test_calls }, { "kill", test_kill },     { "many", test_many },
        { "sync", test_sync },   { "spread", test_spread },
    };
    return check_run(parts, sizeof(parts) / sizeof(parts[0]), argc, argv);
}
