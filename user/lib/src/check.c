/* What the checks that the compiler puts into apps call when one fails: see docs/sandbox.md. */
#include <ftl/process.h>

#define CALL_SIZE 4 /* bytes of the jal or jalr that came here: -mno-relax leaves it whole */

_Noreturn void __ftl_check_failed(int kind);

/*
 * Ends the process with a report that names the kind of the check (clang's number) and its place:
 * the call, since what follows a call that does not return may be another function.
 */
_Noreturn void __ftl_check_failed(int kind)
{
    ftl_process_abort((uint32_t)kind, (uintptr_t)__builtin_return_address(0) - CALL_SIZE);
}
