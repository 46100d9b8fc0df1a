/* What e2fsprogs' configure would find out, for programs of FTL and for the host's tests. */
#ifndef FILES_EXT2FS_CONFIG_H
#define FILES_EXT2FS_CONFIG_H

#define HAVE_ERRNO_H        1
#define HAVE_INTTYPES_H     1
#define HAVE_POSIX_MEMALIGN 1
#define HAVE_STDINT_H       1
#define HAVE_STDLIB_H       1
#define HAVE_STRINGS_H      1
#define HAVE_SYS_STAT_H     1
#define HAVE_SYS_TYPES_H    1
#define HAVE_UNISTD_H       1
#define SIZEOF_INT          4
#define SIZEOF_LONG         8
#define SIZEOF_LONG_LONG    8
#define SIZEOF_OFF_T        8
#define SIZEOF_SHORT        2
#define SIZEOF_TIME_T       8
#define CONFIG_TDB          0
#define ENABLE_HTREE        1

#endif
