/* Texts of status codes, from the ABI's table. */
#include <ftl/status.h>

const char *ftl_strerror(ftl_status_t status)
{
    switch (status) {
#define FTL_STATUS(name, value, text)                                                              \
    case value: return text;
#include <ftl/status.def>
#undef FTL_STATUS
    default: return "unknown status";
    }
}
