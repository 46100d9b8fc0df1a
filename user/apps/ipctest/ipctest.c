/*
 * Exercises every call on IPC objects, errors included, and says what is not as documented. With
 * names of parts as arguments: these alone.
 */
#include "ipctest.h"

int main(int argc, char **argv)
{
    static const struct check_part parts[] = {
        { "notification", test_notification },
        { "timer", test_timer },
        { "poll", test_poll },
        { "channel", test_channel },
        { "inheritance", test_inheritance },
    };
    return check_run(parts, sizeof(parts) / sizeof(parts[0]), argc, argv);
}
