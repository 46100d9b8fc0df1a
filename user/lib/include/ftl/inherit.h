/*
 * Descriptors that a program gets from its starter: entries of its environment, like handles, with
 * names of the form
 *
 *   fd/LIST/KIND/FLAGS          fd/1,2/pipe/1
 *   fd/LIST/KIND/FLAGS/NUMBER   fd/0/file/8000/3
 *
 * LIST has the descriptors, decimal and apart by commas, that are one open file in the new program.
 * KIND says what that is: user/lib/posix/inherit.c has the table. FLAGS are its O_ bits in
 * hexadecimal (O_ACCMODE, O_APPEND, O_NONBLOCK). The handle is the kind's: of a pipe, the end of a
 * channel; the console has none, it is in the environment anyway. Kinds that have one handle for
 * all descriptors have a NUMBER, decimal. An empty LIST says that there are no descriptors. A
 * program that finds no such name at all has the console as its descriptors 0 to 2.
 *
 * Pure functions on names: they need no kernel.
 */
#ifndef FTL_INHERIT_H
#define FTL_INHERIT_H

#include <ftl/types.h>

#define FTL_INHERIT_PREFIX "fd/"
#define FTL_INHERIT_FILES                                                                          \
    "fd/files"                  /* the name of the handle for all descriptors that are files       \
                                 */
#define FTL_INHERIT_KIND_MAX 12 /* bytes of a kind, NUL included */
#define FTL_INHERIT_LIST_MAX 12 /* most descriptors in one name */
#define FTL_INHERIT_FD_MAX   1023

struct ftl_inherit {
    char kind[FTL_INHERIT_KIND_MAX];
    uint32_t flags;
    uint32_t number; /* 0: none */
    size_t count;
    int fds[FTL_INHERIT_LIST_MAX];
};

/* Whether the name is that of a descriptor; `inherit` is what it says. False for malformed ones. */
bool ftl_inherit_parse(const char *name, struct ftl_inherit *inherit);

/*
 * Writes a name that says this, and as many of the first descriptors as it has room for; how many
 * those are: one at least, unless there is none. Sets inherit->count to that.
 */
void ftl_inherit_format(char name[FTL_NAME_MAX], struct ftl_inherit *inherit);

#endif
