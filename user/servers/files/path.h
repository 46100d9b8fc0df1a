/*
 * Ways from a directory to what a path names, through mounts and symbolic links, and never out of
 * what lies below a root.
 */
#ifndef FILES_PATH_H
#define FILES_PATH_H

#include "tree.h"

#define LINKS_MAX 40 /* symbolic links on one way */

/* What a path has led to. What the places hold is to be given back, by walk_end(). */
struct walk {
    struct place directory; /* where the last name is; none if the path ends otherwise: "/", ".." */
    char name[NAME_MAX_SIZE + 1];      /* the last name, or empty */
    bool is_directory_wanted;          /* a slash came behind it */
    struct place found;                /* what has that name; none: nothing has */
    struct file_attributes attributes; /* of what was found */
};

/*
 * Follows a path from the directory or, if it begins with a slash, from the root. A last name that
 * nothing has is no error here, but then `found` is none. `follow`: through a symbolic link that
 * the path ends in, too; it then is what the link's path leads to that counts. An empty path leads
 * to the start itself. NOT_FOUND, NOT_DIRECTORY, NAME_TOO_LONG, LOOP, errors of file systems; the
 * walk then has no places.
 */
ftl_status_t walk_start(struct walk *walk, struct place start, struct place root, const char *path,
                        bool follow);

/* The same; NOT_FOUND when nothing has the last name. */
ftl_status_t walk_to(struct walk *walk, struct place start, struct place root, const char *path,
                     bool follow);

void walk_end(struct walk *walk);

/*
 * The path from the root of all to a directory. NOT_FOUND: it was removed. NAME_TOO_LONG.
 */
ftl_status_t path_of(struct place directory, char path[PATH_MAX_SIZE + 1]);

#endif
