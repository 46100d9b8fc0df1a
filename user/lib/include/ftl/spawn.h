/*
 * Starting the apps of the boot image: reads an app's manifest, makes its process with the
 * isolation asked for, loads its program, grants it what its manifest lists, and starts it. For
 * starters such as init and the shell, who have the `bootimage` handle.
 */
#ifndef FTL_SPAWN_H
#define FTL_SPAWN_H

#include <ftl/load.h>
#include <ftl/status.h>
#include <ftl/types.h>

#define FTL_APP_TEXT_MAX      256 /* bytes of a manifest's description or grants, NUL included */
#define FTL_APP_MEMORY_LIMIT  (UINT64_C(64) << 20) /* bytes, when the manifest names none */
#define FTL_SPAWN_HANDLES_MAX 64

#define FTL_BOOTIMAGE_PROGRAMS 8

/* The boot image, mapped for reading. */
struct ftl_bootimage {
    ftl_handle_t vmo;
    const void *data;
    size_t size;
    /* Programs that ftl_spawn() has opened, to start them again at little cost; in turn. */
    struct ftl_bootimage_program {
        char name[FTL_NAME_MAX];
        ftl_isolation_t isolation;
        struct ftl_program *program; /* NULL: none */
    } programs[FTL_BOOTIMAGE_PROGRAMS];
    size_t programs_next;
};

/*
 * Maps the boot image VMO (rights READ, MAP; to load from it also EXECUTE and DUPLICATE) into the
 * calling process. The handle stays the caller's and is used as long as `image` is.
 */
ftl_status_t ftl_bootimage_open(struct ftl_bootimage *image, ftl_handle_t vmo);

/* Whether init starts a service again when it has ended. */
typedef enum {
    FTL_RESTART_NEVER = 0,
    FTL_RESTART_ON_FAILURE = 1, /* unless it ended with status 0 */
    FTL_RESTART_ALWAYS = 2,
} ftl_restart_t;

#define FTL_APP_DMA_MAX 2 /* pieces of memory for its device that a driver may ask for */

/* What an app's manifest says. */
struct ftl_app {
    char name[FTL_NAME_MAX];
    char program[FTL_NAME_MAX]; /* whose program it runs: its own, or another app's (an alias) */
    char description[FTL_APP_TEXT_MAX];
    char grants[FTL_APP_TEXT_MAX];   /* names of handles, apart by blanks */
    char uses[FTL_APP_TEXT_MAX];     /* names of protocols it may connect to, apart by blanks */
    char files[FTL_APP_TEXT_MAX];    /* a directory, and maybe `ro`: all that it sees of files */
    char provides[FTL_APP_TEXT_MAX]; /* the protocols that it serves; empty: it is no service */
    ftl_restart_t restart;
    uint32_t restart_limit; /* how often in a row; 0: without end */
    ftl_isolation_t isolation;
    uint64_t memory_limit; /* bytes */
    bool driver;           /* it drives a device: init alone starts it, once for each device */
    uint32_t dma_count;
    uint64_t dma[FTL_APP_DMA_MAX]; /* bytes of memory that its device may access */
};

/*
 * Reads the manifest of the app `name`, or, when that is an alias, of the app that it stands for.
 * NOT_FOUND when the image has no such app, BAD_FORMAT when the image or the manifest is malformed.
 */
ftl_status_t ftl_app_find(const struct ftl_bootimage *image, const char *name, struct ftl_app *app);

/*
 * Reads the manifest of the next app, in the order of the image; set *position to 0 at first.
 * NOT_FOUND after the last one. An app whose manifest is malformed gives BAD_FORMAT with its name
 * in `app`: the next call goes on behind it. BAD_FORMAT with an empty name: the image itself is
 * malformed from here on.
 */
ftl_status_t ftl_app_next(const struct ftl_bootimage *image, size_t *position, struct ftl_app *app);

/*
 * Reads the next line of the boot image's list of aliases: another name of an app, whose program
 * sees in its first argument under which it was started. Set *position to 0 at first. NOT_FOUND
 * after the last one, BAD_FORMAT when the list is malformed.
 */
ftl_status_t ftl_app_next_alias(const struct ftl_bootimage *image, size_t *position,
                                char alias[FTL_NAME_MAX], char app[FTL_NAME_MAX]);

/* Whether the word is one of those, which are apart by blanks, as in a manifest. */
bool ftl_app_has_word(const char *words, const char *word);

/*
 * Whether a process of the app gets the handle of this name, when its starter has it: the console,
 * descriptors (<ftl/inherit.h>) and signals (<ftl/signals.h>), what is in `grants`, `names` if it
 * uses any protocol, `service` if it provides one; a driver also what belongs to its device.
 */
bool ftl_app_is_granted(const struct ftl_app *app, const char *name);

/* Whether the app may connect to the protocol. */
bool ftl_app_uses(const struct ftl_app *app, const char *protocol);

/*
 * Reads the next line of the boot image's list of services, which app provides which protocol; set
 * *position to 0 at first. NOT_FOUND after the last one, BAD_FORMAT when the list is malformed.
 */
ftl_status_t ftl_app_next_service(const struct ftl_bootimage *image, size_t *position,
                                  char protocol[FTL_NAME_MAX], char app[FTL_NAME_MAX]);

/* A line of the boot image's list of drivers: an app for devices of one kind. */
struct ftl_driver {
    char app[FTL_NAME_MAX];
    char protocol[FTL_NAME_MAX];   /* that it provides */
    char compatible[FTL_NAME_MAX]; /* of nodes of the device tree */
    uint32_t id;                   /* behind a virtio transport: the kind of device; else 0 */
    bool at_boot;                  /* to be started without a client */
};

/* Reads the next line of that list, as ftl_app_next_service() does. */
ftl_status_t ftl_app_next_driver(const struct ftl_bootimage *image, size_t *position,
                                 struct ftl_driver *driver);

/* Parses "user" or "sandbox". */
bool ftl_isolation_parse(const char *text, ftl_isolation_t *isolation);

/* "user", "sandbox", or "unknown". */
const char *ftl_isolation_name(ftl_isolation_t isolation);

/*
 * Looks for a word `ftl.isolation.NAME=ISOLATION` among the boot arguments; the last valid one
 * counts. Returns whether there is one.
 */
bool ftl_isolation_of_app(const char *const *words, size_t count, const char *name,
                          ftl_isolation_t *isolation);

/* A handle that the starter has on offer, under the name by which manifests ask for it. */
struct ftl_spawn_handle {
    const char *name;
    ftl_handle_t handle; /* needs DUPLICATE; stays the starter's; INVALID: not there */
    ftl_rights_t rights; /* at most these are passed on; needs TRANSFER among them */
};

/* How to start an app. All is only read, during the call. */
struct ftl_spawn_options {
    ftl_isolation_t isolation;           /* normally the app's own */
    const struct ftl_program_file *file; /* its program; NULL: that of the boot image */
    ftl_handle_t vmspace;    /* of this isolation, to live in with others; or INVALID: its own */
    const char *const *args; /* args[0] is the program's name */
    size_t arg_count;
    const char *const *vars; /* "NAME=value" */
    size_t var_count;
    const struct ftl_spawn_handle *handles; /* offered; granted as ftl_app_is_granted() says */
    size_t handle_count;                    /* at most FTL_SPAWN_HANDLES_MAX */
};

/*
 * Starts the app and returns a handle to its process, with all rights, owned by the caller. What
 * the app may use is lent by the caller: LIMIT when that one may not use as much itself any more.
 * On an error nothing of it is left and *step (if not NULL) says what failed, as text that stays
 * until the next call: "loading its program". One thread at a time for an image.
 */
ftl_status_t ftl_spawn(struct ftl_bootimage *image, const struct ftl_app *app,
                       const struct ftl_spawn_options *options, ftl_handle_t *process,
                       const char **step);

#endif
