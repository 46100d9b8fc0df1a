/* Result codes of FTL calls: FTL_OK and the negative FTL_ERR_ values, made from status.def. */
#ifndef FTL_STATUS_H
#define FTL_STATUS_H

#include <ftl/types.h>

enum {
#define FTL_STATUS(name, value, text) FTL_##name = (value),
#include <ftl/status.def>
#undef FTL_STATUS
};

/*
 * Returns a static, constant text for any status, "unknown status" for values outside status.def.
 */
const char *ftl_strerror(ftl_status_t status);

#endif
