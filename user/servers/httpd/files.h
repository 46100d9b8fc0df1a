/*
 * What the server serves: the files of an archive in memory. A URL's path names files below `www/`
 * of the archive, and with /boot/ in front any file of it.
 */
#ifndef HTTPD_FILES_H
#define HTTPD_FILES_H

#include <stdbool.h>
#include <stddef.h>

#define PATH_MAX_SIZE 256

/* The archive, in place of any before; the caller keeps it unchanged. False: no memory. */
bool files_open(const void *archive, size_t size);
void files_close(void);

enum files_kind {
    FILES_NONE,
    FILES_FILE,
    FILES_DIRECTORY,         /* the path ends in a slash, and there is no index.html */
    FILES_DIRECTORY_NO_SLASH /* it would be one with a slash at its end */
};

struct file {
    const char *data;
    size_t size;
    const char *type; /* for Content-Type */
};

/* Looks up a decoded path, which begins with a slash. */
enum files_kind files_find(const char *path, struct file *file);

/* An HTML page that lists a directory, to be freed; NULL: no memory. */
char *files_list(const char *path, size_t *size);

/*
 * Decodes the path of a URL, without its query: percent signs, and no way up. False: it is
 * malformed or too long.
 */
bool files_decode_path(const char *url, size_t size, char path[PATH_MAX_SIZE]);

#endif
