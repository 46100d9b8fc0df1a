/*
 * Loading programs: ELF files (static PIE, see <ftl/sandbox_abi.h> for their note) that lie in a
 * VMO. Opening one does what needs to be done only once, the verification of sandboxed code above
 * all; then it can be loaded into any number of new processes, which share what they cannot write.
 */
#ifndef FTL_LOAD_H
#define FTL_LOAD_H

#include <ftl/status.h>
#include <ftl/types.h>

#define FTL_PROGRAM_WHY_MAX 128 /* bytes for every text of ftl_program_open(), NUL included */

struct ftl_program;

/* A whole ELF file. It should start at a page of the VMO: else it is copied when opened. */
struct ftl_program_file {
    ftl_handle_t vmo; /* needs READ, MAP, EXECUTE, DUPLICATE */
    uint64_t offset;  /* of the file, bytes */
    const void *data; /* the file once more, where the caller has mapped it */
    size_t size;      /* bytes */
};

/*
 * Opens a program. The file must stay mapped and as it is while the program is open; the VMO's
 * handle may be closed. Errors: BAD_FORMAT, NOT_SUPPORTED (it needs an extension that not every
 * hart has), NOT_VERIFIED (of sandboxed code; the log says why), NO_MEMORY, LIMIT; `why` may say
 * more.
 */
ftl_status_t ftl_program_open(struct ftl_program **program, const struct ftl_program_file *file,
                              ftl_isolation_t isolation, char *why, size_t why_size);

/* Whether it is a program, well-formed and built for this isolation. */
bool ftl_program_is_for(const struct ftl_program_file *file, ftl_isolation_t isolation);

/* Processes that were loaded from it are not concerned. */
void ftl_program_close(struct ftl_program *program);

/*
 * Loads the program into a new process (rights: MANAGE), in a new vmspace or one that others live
 * in; *entry is where to start it. After an error the process can only be thrown away: NO_MEMORY,
 * LIMIT, BAD_STATE (it was started), EXISTS (somebody else mapped something there meanwhile).
 */
ftl_status_t ftl_program_load(const struct ftl_program *program, ftl_handle_t process,
                              uintptr_t *entry);

#endif
