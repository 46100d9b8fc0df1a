/* What the checks that the compiler puts into apps call when one fails: see docs/sandbox.md. */
#include <ftl/process.h>

#define SHORTEST_INSTRUCTION                                                                       \
    2 /* bytes: that far back from where it returns to, one is in the call */

_Noreturn void __ftl_check_failed(int kind);

/*
 * Ends the process with a report that names the kind of the check (clang's number) and its place.
 */
_Noreturn void __ftl_check_failed(int kind)
{
    uintptr_t behind = (uintptr_t)__builtin_return_address(0);
    ftl_process_abort((uint32_t)kind, behind - SHORTEST_INSTRUCTION);
}
