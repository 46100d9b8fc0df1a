/* Texts of the status codes, from <ftl/status.def>. */
#include <ftl/status.h>

static const struct {
    ftl_status_t status;
    const char *text;
} texts[] = {
#define FTL_STATUS(name, value, text) { FTL_##name, text },
#include <ftl/status.def>
#undef FTL_STATUS
};

const char *ftl_strerror(ftl_status_t status)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].status == status) {
            return texts[i].text;
        }
    }
    return "unknown status";
}
