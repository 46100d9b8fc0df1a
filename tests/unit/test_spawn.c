/*
 * user/lib/src/app.c and spawn.c: manifests in the boot image, and the calls that starting an app
 * makes. The kernel is a fake that counts handles, and fails the call it is told to.
 */
#include "host/test.h"

#include <ftl/environ.h>
#include <ftl/handle.h>
#include <ftl/process.h>
#include <ftl/sandbox_abi.h>
#include <ftl/spawn.h>
#include <ftl/system.h>
#include <ftl/vmo.h>
#include <ftl/vmspace.h>
#include <stdio.h>

#define TAR_BLOCK     512
#define IMAGE_MAX     (128 * TAR_BLOCK)
#define FIRST_HANDLE  100
#define GRANTED_SHIFT 1000 /* a handle's value in the new process is that much more */
#define VMO           5
#define ENTRY         0x4010

/* ---- The fake kernel ---- */

enum call {
    CALL_VMSPACE_CREATE,
    CALL_PROCESS_CREATE,
    CALL_OPEN,
    CALL_LOAD,
    CALL_DUPLICATE,
    CALL_GRANT,
    CALL_START,
    CALL_COUNT,
    NO_CALL = CALL_COUNT,
};

static struct {
    enum call failing;
    ftl_handle_t next;
    int open; /* handles given out and neither closed nor moved away */
    uint32_t isa;
    uint32_t isolation;
    uint64_t memory_limit;
    char name[FTL_NAME_MAX];
    int programs; /* open now */
    int opened;   /* ever */
    uint64_t load_offset;
    uint64_t load_size;
    _Alignas(8) char blob[FTL_ENVIRON_MAX];
    size_t blob_size;
} fake;

static char archive[IMAGE_MAX];

static ftl_status_t result_of(enum call call)
{
    return call != NO_CALL && fake.failing == call ? FTL_ERR_NO_MEMORY : FTL_OK;
}

static ftl_status_t give_handle(enum call call, ftl_handle_t *handle)
{
    ftl_status_t status = result_of(call);
    if (status == FTL_OK) {
        *handle = fake.next++;
        fake.open++;
    }
    return status;
}

ftl_status_t ftl_handle_close(ftl_handle_t handle)
{
    assert_in_range(handle, FIRST_HANDLE, fake.next - 1);
    fake.open--;
    return FTL_OK;
}

ftl_status_t ftl_handle_duplicate(ftl_handle_t handle, ftl_rights_t rights, ftl_handle_t *copy)
{
    (void)handle;
    (void)rights;
    return give_handle(CALL_DUPLICATE, copy);
}

ftl_status_t ftl_system_isa(uint32_t *isa)
{
    *isa = fake.isa;
    return FTL_OK;
}

ftl_status_t ftl_vmspace_self(ftl_handle_t *vmspace)
{
    return give_handle(NO_CALL, vmspace);
}

ftl_status_t ftl_vmspace_create(uint32_t isolation, ftl_handle_t *vmspace)
{
    fake.isolation = isolation;
    return give_handle(CALL_VMSPACE_CREATE, vmspace);
}

ftl_status_t ftl_vmspace_map(ftl_handle_t vmspace, ftl_handle_t vmo, uint64_t offset, size_t size,
                             uint32_t permissions, uintptr_t address, uintptr_t *mapped)
{
    (void)vmspace;
    (void)offset;
    (void)address;
    assert_int_equal(vmo, VMO);
    assert_int_equal(size, sizeof(archive));
    assert_int_equal(permissions, FTL_MAP_READ);
    *mapped = (uintptr_t)archive;
    return FTL_OK;
}

ftl_status_t ftl_vmo_size(ftl_handle_t vmo, uint64_t *size)
{
    assert_int_equal(vmo, VMO);
    *size = sizeof(archive);
    return FTL_OK;
}

ftl_status_t ftl_process_create(ftl_handle_t vmspace, const void *name, size_t name_size,
                                uint64_t memory_limit, ftl_handle_t *process)
{
    (void)vmspace;
    memset(fake.name, 0, sizeof(fake.name));
    memcpy(fake.name, name, name_size);
    fake.memory_limit = memory_limit;
    return give_handle(CALL_PROCESS_CREATE, process);
}

struct ftl_program {
    ftl_isolation_t isolation;
};

ftl_status_t ftl_program_open(struct ftl_program **program, const struct ftl_program_file *file,
                              ftl_isolation_t isolation, char *why, size_t why_size)
{
    assert_int_equal(file->vmo, VMO);
    assert_ptr_equal(file->data, archive + file->offset);
    fake.load_offset = file->offset;
    fake.load_size = file->size;
    ftl_status_t status = result_of(CALL_OPEN);
    if (status != FTL_OK) {
        snprintf(why, why_size, "no reason");
        return status;
    }
    fake.programs++;
    fake.opened++;
    *program = malloc(sizeof(**program));
    (*program)->isolation = isolation;
    return FTL_OK;
}

void ftl_program_close(struct ftl_program *program)
{
    fake.programs--;
    free(program);
}

ftl_status_t ftl_program_load(const struct ftl_program *program, ftl_handle_t process,
                              uintptr_t *entry)
{
    (void)process;
    assert_int_equal(program->isolation, fake.isolation);
    *entry = ENTRY;
    return result_of(CALL_LOAD);
}

ftl_status_t ftl_process_grant(ftl_handle_t process, ftl_handle_t handle, ftl_rights_t rights,
                               ftl_handle_t *granted)
{
    (void)process;
    (void)rights;
    ftl_status_t status = result_of(CALL_GRANT);
    if (status == FTL_OK) {
        *granted = handle + GRANTED_SHIFT;
        fake.open--;
    }
    return status;
}

ftl_status_t ftl_process_start(ftl_handle_t process, uintptr_t entry, const void *blob, size_t size)
{
    (void)process;
    assert_int_equal(entry, ENTRY);
    memcpy(fake.blob, blob, size);
    fake.blob_size = size;
    return result_of(CALL_START);
}

/* ---- A boot image ---- */

static size_t archive_used;

static void add_file(const char *name, const char *contents)
{
    char *header = archive + archive_used;
    size_t size = strlen(contents);
    unsigned int sum = 0;

    assert_true(archive_used + 4 * (size_t)TAR_BLOCK + size < sizeof(archive));
    snprintf(header, 100, "%s", name);
    memcpy(header + 100, "0000644", 8);
    memcpy(header + 108, "0000000", 8);
    memcpy(header + 116, "0000000", 8);
    snprintf(header + 124, 12, "%011o", (unsigned int)size);
    memcpy(header + 136, "00000000000", 12);
    memset(header + 148, ' ', 8);
    header[156] = '0';
    memcpy(header + 257, "ustar\00000", 8);
    for (size_t i = 0; i < TAR_BLOCK; i++) {
        sum += (unsigned char)header[i];
    }
    snprintf(header + 148, 8, "%06o", sum);
    memcpy(header + TAR_BLOCK, contents, size);
    archive_used += TAR_BLOCK + (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

static struct ftl_bootimage image;

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < FTL_BOOTIMAGE_PROGRAMS; i++) {
        if (image.programs[i].program != NULL) {
            ftl_program_close(image.programs[i].program);
        }
    }
    assert_int_equal(fake.programs, 0);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    fake.failing = NO_CALL;
    fake.next = FIRST_HANDLE;
    fake.isa = FTL_ISA_ZBA | FTL_ISA_ZBB;
    memset(archive, 0, sizeof(archive));
    archive_used = 0;
    add_file("bin/web.manifest", "name = web\nisolation = user\ngrants = console net\n"
                                 "memory = 3M\ndescription = serves pages\n");
    add_file("bin/web.sandbox", "sandboxed program");
    add_file("bin/web.user", "user program");
    add_file("bin/bare.manifest", "");
    add_file("bin/bare.sandbox", "?");
    add_file("etc/motd", "hello");
    add_file("bin/odd.manifest", "isolation = none\n");
    add_file("bin/last.manifest", "isolation = sandbox\n");
    assert_int_equal(ftl_bootimage_open(&image, VMO), FTL_OK);
    assert_int_equal(fake.open, 0);
    return 0;
}

/* A value that is none of the enum's. */
static const ftl_isolation_t no_isolation = (ftl_isolation_t)2; /* NOLINT(*EnumCastOutOfRange) */

/* ---- Apps ---- */

static void a_manifest_says_what_the_app_is(void **state)
{
    (void)state;
    struct ftl_app app;
    assert_int_equal(ftl_app_find(&image, "web", &app), FTL_OK);
    assert_string_equal(app.name, "web");
    assert_string_equal(app.description, "serves pages");
    assert_string_equal(app.grants, "console net");
    assert_int_equal(app.isolation, FTL_ISOLATION_USER);
    assert_int_equal(app.memory_limit, 3u << 20);
}

static void an_empty_manifest_means_the_defaults(void **state)
{
    (void)state;
    struct ftl_app app;
    assert_int_equal(ftl_app_find(&image, "bare", &app), FTL_OK);
    assert_string_equal(app.description, "");
    assert_string_equal(app.grants, "");
    assert_int_equal(app.isolation, FTL_ISOLATION_SANDBOX);
    assert_int_equal(app.memory_limit, FTL_APP_MEMORY_LIMIT);
}

static void a_manifest_says_what_a_service_is(void **state)
{
    (void)state;
    struct ftl_app app;
    add_file("bin/server.manifest",
             "provides = net names_of_hosts\nuses = disk clock\nrestart = on-failure\n"
             "restart-limit = 7\n");
    add_file("bin/keen.manifest", "grants = names\nrestart = always\n");
    assert_int_equal(ftl_app_find(&image, "server", &app), FTL_OK);
    assert_string_equal(app.provides, "net names_of_hosts");
    assert_true(ftl_app_has_word(app.provides, "net"));
    assert_false(ftl_app_has_word(app.provides, "names"));
    assert_int_equal(app.restart, FTL_RESTART_ON_FAILURE);
    assert_int_equal(app.restart_limit, 7);
    assert_true(ftl_app_uses(&app, "disk") && ftl_app_uses(&app, "clock"));
    assert_false(ftl_app_uses(&app, "net") || ftl_app_uses(&app, "disk clock"));
    assert_true(ftl_app_is_granted(&app, "names") && ftl_app_is_granted(&app, "service"));
    assert_false(ftl_app_is_granted(&app, "system"));
    assert_int_equal(ftl_app_find(&image, "keen", &app), FTL_OK);
    assert_int_equal(app.restart, FTL_RESTART_ALWAYS);
    assert_int_equal(app.restart_limit, 0);
    assert_true(ftl_app_is_granted(&app, "names") && ftl_app_is_granted(&app, "console"));
    assert_false(ftl_app_is_granted(&app, "service") || ftl_app_uses(&app, ""));
    assert_int_equal(ftl_app_find(&image, "bare", &app), FTL_OK);
    assert_int_equal(app.restart, FTL_RESTART_NEVER);
    assert_false(ftl_app_is_granted(&app, "names") || ftl_app_is_granted(&app, "service"));
}

static void the_list_of_services_is_read_line_by_line(void **state)
{
    (void)state;
    char protocol[FTL_NAME_MAX];
    char app[FTL_NAME_MAX];
    size_t position = 0;
    assert_int_equal(ftl_app_next_service(&image, &position, protocol, app), FTL_ERR_NOT_FOUND);
    add_file("SERVICES", "net = tcpip\n\nclock = rtc\nwhat\n"
                         "far-too-long-for-a-name-of-a-protocol = x\nlast = one");
    assert_int_equal(ftl_app_next_service(&image, &position, protocol, app), FTL_OK);
    assert_string_equal(protocol, "net");
    assert_string_equal(app, "tcpip");
    assert_int_equal(ftl_app_next_service(&image, &position, protocol, app), FTL_OK);
    assert_string_equal(protocol, "clock");
    assert_string_equal(app, "rtc");
    assert_int_equal(ftl_app_next_service(&image, &position, protocol, app), FTL_ERR_BAD_FORMAT);
    assert_int_equal(ftl_app_next_service(&image, &position, protocol, app), FTL_ERR_BAD_FORMAT);
    assert_int_equal(ftl_app_next_service(&image, &position, protocol, app), FTL_OK);
    assert_string_equal(app, "one");
    assert_int_equal(ftl_app_next_service(&image, &position, protocol, app), FTL_ERR_NOT_FOUND);
}

static void a_driver_gets_what_belongs_to_its_device(void **state)
{
    (void)state;
    struct ftl_app app;
    add_file("bin/driver.manifest", "provides = disk\ndriver = spinning,disk\ndma = 64K  1M\n");
    assert_int_equal(ftl_app_find(&image, "driver", &app), FTL_OK);
    assert_true(app.driver);
    assert_int_equal(app.dma_count, 2);
    assert_int_equal(app.dma[0], 65536);
    assert_int_equal(app.dma[1], 1048576);
    assert_true(ftl_app_is_granted(&app, "registers") && ftl_app_is_granted(&app, "interrupt") &&
                ftl_app_is_granted(&app, "dma0") && ftl_app_is_granted(&app, "dma1"));
    assert_false(ftl_app_is_granted(&app, "system") || ftl_app_is_granted(&app, "names"));
    assert_int_equal(ftl_app_find(&image, "bare", &app), FTL_OK);
    assert_false(app.driver || ftl_app_is_granted(&app, "registers"));
    assert_int_equal(app.dma_count, 0);
}

static void the_list_of_drivers_is_read_line_by_line(void **state)
{
    (void)state;
    struct ftl_driver driver;
    size_t position = 0;
    assert_int_equal(ftl_app_next_driver(&image, &position, &driver), FTL_ERR_NOT_FOUND);
    add_file("DRIVERS", "disk = block spinning,disk 0 \nnet = nic bus,slot 7 boot\nx = nic y z\n"
                        "x = nic\nx = nic y 4294967296\n");
    assert_int_equal(ftl_app_next_driver(&image, &position, &driver), FTL_OK);
    assert_string_equal(driver.app, "disk");
    assert_string_equal(driver.protocol, "block");
    assert_string_equal(driver.compatible, "spinning,disk");
    assert_int_equal(driver.id, 0);
    assert_false(driver.at_boot);
    assert_int_equal(ftl_app_next_driver(&image, &position, &driver), FTL_OK);
    assert_int_equal(driver.id, 7);
    assert_true(driver.at_boot);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ftl_app_next_driver(&image, &position, &driver), FTL_ERR_BAD_FORMAT);
    }
    assert_int_equal(ftl_app_next_driver(&image, &position, &driver), FTL_ERR_NOT_FOUND);
}

static void names_that_are_no_app_are_not_found(void **state)
{
    (void)state;
    struct ftl_app app;
    char endless[600];
    memset(endless, 'x', sizeof(endless));
    endless[sizeof(endless) - 1] = '\0';
    assert_int_equal(ftl_app_find(&image, "none", &app), FTL_ERR_NOT_FOUND);
    assert_int_equal(ftl_app_find(&image, "", &app), FTL_ERR_NOT_FOUND);
    assert_int_equal(ftl_app_find(&image, endless, &app), FTL_ERR_NOT_FOUND);
}

static void a_malformed_manifest_is_reported(void **state)
{
    (void)state;
    struct ftl_app app;
    add_file("bin/mem.manifest", "memory = lots\n");
    add_file("bin/long.manifest", "isolation = sandboxxxxxxxxxxxx\n");
    add_file("bin/back.manifest", "restart = often\n");
    add_file("bin/limit.manifest", "restart-limit = 4294967296\n");
    add_file("bin/greedy.manifest", "dma = 1K 2K 3K\n");
    assert_int_equal(ftl_app_find(&image, "greedy", &app), FTL_ERR_BAD_FORMAT);
    assert_int_equal(ftl_app_find(&image, "odd", &app), FTL_ERR_BAD_FORMAT);
    assert_int_equal(ftl_app_find(&image, "mem", &app), FTL_ERR_BAD_FORMAT);
    assert_int_equal(ftl_app_find(&image, "long", &app), FTL_ERR_BAD_FORMAT);
    assert_int_equal(ftl_app_find(&image, "back", &app), FTL_ERR_BAD_FORMAT);
    assert_int_equal(ftl_app_find(&image, "limit", &app), FTL_ERR_BAD_FORMAT);
}

static void apps_are_listed_in_order(void **state)
{
    (void)state;
    struct ftl_app app;
    size_t position = 0;
    assert_int_equal(ftl_app_next(&image, &position, &app), FTL_OK);
    assert_string_equal(app.name, "web");
    assert_int_equal(ftl_app_next(&image, &position, &app), FTL_OK);
    assert_string_equal(app.name, "bare");
    assert_int_equal(ftl_app_next(&image, &position, &app), FTL_ERR_BAD_FORMAT);
    assert_string_equal(app.name, "odd");
    assert_int_equal(ftl_app_next(&image, &position, &app), FTL_OK);
    assert_string_equal(app.name, "last");
    assert_int_equal(ftl_app_next(&image, &position, &app), FTL_ERR_NOT_FOUND);
}

static void a_malformed_image_gives_no_name(void **state)
{
    (void)state;
    struct ftl_app app;
    size_t position = 0;
    archive[0] ^= 1;
    assert_int_equal(ftl_app_next(&image, &position, &app), FTL_ERR_BAD_FORMAT);
    assert_string_equal(app.name, "");
}

static void the_last_valid_boot_argument_names_the_isolation(void **state)
{
    (void)state;
    const char *const words[] = {
        "init",
        "ftl.isolation.web=user",
        "ftl.isolation.webs=sandbox",
        "ftl.isolation.web=sandbox",
        "ftl.isolation.web=what",
        "ftl.isolation.bare",
    };
    ftl_isolation_t isolation = FTL_ISOLATION_USER;
    assert_true(ftl_isolation_of_app(words, 6, "web", &isolation));
    assert_int_equal(isolation, FTL_ISOLATION_SANDBOX);
    assert_true(ftl_isolation_of_app(words, 2, "web", &isolation));
    assert_int_equal(isolation, FTL_ISOLATION_USER);
    assert_false(ftl_isolation_of_app(words, 6, "bare", &isolation));
    assert_false(ftl_isolation_of_app(words, 6, "we", &isolation));
    assert_int_equal(isolation, FTL_ISOLATION_USER);
}

static void isolation_names_go_both_ways(void **state)
{
    (void)state;
    ftl_isolation_t isolation;
    assert_true(ftl_isolation_parse("user", &isolation));
    assert_string_equal(ftl_isolation_name(isolation), "user");
    assert_true(ftl_isolation_parse("sandbox", &isolation));
    assert_string_equal(ftl_isolation_name(isolation), "sandbox");
    assert_false(ftl_isolation_parse("", &isolation));
    assert_string_equal(ftl_isolation_name(no_isolation), "unknown");
}

/* ---- Spawning ---- */

static const char *const args[] = { "web", "8080" };
static const struct ftl_spawn_handle offers[] = {
    { "system", 11, FTL_RIGHTS_SAME },
    { "net", 12, FTL_RIGHTS_SAME },
    { "console", 13, FTL_RIGHTS_SAME },
};

static ftl_status_t spawn(const char *name, ftl_isolation_t isolation, ftl_handle_t *process,
                          const char **step)
{
    struct ftl_app app;
    struct ftl_spawn_options options = {
        .isolation = isolation,
        .args = args,
        .arg_count = 2,
        .handles = offers,
        .handle_count = 3,
    };
    assert_int_equal(ftl_app_find(&image, name, &app), FTL_OK);
    return ftl_spawn(&image, &app, &options, process, step);
}

static void spawn_starts_the_program_of_the_isolation(void **state)
{
    (void)state;
    ftl_handle_t process;
    assert_int_equal(spawn("web", FTL_ISOLATION_USER, &process, NULL), FTL_OK);
    assert_int_equal(fake.isolation, FTL_ISOLATION_USER);
    assert_string_equal(fake.name, "web");
    assert_int_equal(fake.memory_limit, 3u << 20);
    assert_int_equal(fake.load_size, strlen("user program"));
    assert_memory_equal(archive + fake.load_offset, "user program", fake.load_size);
    assert_int_equal(fake.open, 1); /* the process */

    assert_int_equal(spawn("web", FTL_ISOLATION_SANDBOX, &process, NULL), FTL_OK);
    assert_int_equal(fake.isolation, FTL_ISOLATION_SANDBOX);
    assert_memory_equal(archive + fake.load_offset, "sandboxed program", fake.load_size);
}

static void an_alias_is_the_app_that_it_stands_for(void **state)
{
    (void)state;
    struct ftl_app app;
    ftl_handle_t process;
    char alias[FTL_NAME_MAX];
    char name[FTL_NAME_MAX];
    size_t position = 0;
    add_file("ALIASES", "www = web\nnone = nowhere\nbare = web\n");
    assert_int_equal(ftl_app_find(&image, "www", &app), FTL_OK);
    assert_string_equal(app.name, "www");
    assert_string_equal(app.program, "web");
    assert_int_equal(app.memory_limit, 3u << 20);
    assert_int_equal(spawn("www", FTL_ISOLATION_USER, &process, NULL), FTL_OK);
    assert_string_equal(fake.name, "www");
    assert_memory_equal(archive + fake.load_offset, "user program", fake.load_size);

    assert_int_equal(ftl_app_find(&image, "none", &app), FTL_ERR_NOT_FOUND);
    assert_int_equal(ftl_app_find(&image, "bare", &app), FTL_OK);
    assert_string_equal(app.program, "bare");
    assert_int_equal(ftl_app_next_alias(&image, &position, alias, name), FTL_OK);
    assert_string_equal(alias, "www");
    assert_string_equal(name, "web");
}

static void check_sandboxed(const char *name, uint32_t isa, const char *program)
{
    ftl_handle_t process;
    assert_int_equal(ftl_bootimage_open(&image, VMO), FTL_OK); /* nothing opened before */
    fake.isa = isa;
    assert_int_equal(spawn(name, FTL_ISOLATION_SANDBOX, &process, NULL), FTL_OK);
    assert_memory_equal(archive + fake.load_offset, program, fake.load_size);
    for (size_t i = 0; i < FTL_BOOTIMAGE_PROGRAMS; i++) {
        if (image.programs[i].program != NULL) {
            ftl_program_close(image.programs[i].program);
            image.programs[i].program = NULL;
        }
    }
}

static void spawn_takes_the_best_program_that_all_harts_can_run(void **state)
{
    (void)state;
    add_file("bin/web.sandbox-no-zba", "for any hart");
    add_file("bin/old.manifest", "");
    add_file("bin/old.sandbox-no-zba", "for any hart");
    check_sandboxed("web", FTL_ISA_ZBA | FTL_ISA_ZBB, "sandboxed program");
    check_sandboxed("web", FTL_ISA_ZBA, "for any hart");
    check_sandboxed("web", FTL_ISA_ZBB, "for any hart");
    check_sandboxed("web", 0, "for any hart");
    check_sandboxed("old", FTL_ISA_ZBA | FTL_ISA_ZBB, "for any hart");
    check_sandboxed("bare", 0, "?"); /* there is no other; loading it says what it needs */
}

static void spawn_opens_a_program_once_and_keeps_so_many_open(void **state)
{
    (void)state;
    ftl_handle_t process;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(spawn("web", FTL_ISOLATION_USER, &process, NULL), FTL_OK);
        assert_int_equal(spawn("web", FTL_ISOLATION_SANDBOX, &process, NULL), FTL_OK);
        assert_int_equal(fake.opened, 2);
    }
    for (int i = 0; i < FTL_BOOTIMAGE_PROGRAMS; i++) {
        char name[8];
        char path[24];
        snprintf(name, sizeof(name), "app%d", i);
        snprintf(path, sizeof(path), "bin/%s.manifest", name);
        add_file(path, "");
        snprintf(path, sizeof(path), "bin/%s.user", name);
        add_file(path, "?");
        assert_int_equal(spawn(name, FTL_ISOLATION_USER, &process, NULL), FTL_OK);
    }
    assert_int_equal(fake.opened, 2 + FTL_BOOTIMAGE_PROGRAMS);
    assert_int_equal(fake.programs, FTL_BOOTIMAGE_PROGRAMS);
    assert_int_equal(spawn("app0", FTL_ISOLATION_USER, &process, NULL), FTL_OK);
    assert_int_equal(fake.opened, 2 + FTL_BOOTIMAGE_PROGRAMS);
    assert_int_equal(spawn("web", FTL_ISOLATION_USER, &process, NULL), FTL_OK); /* closed since */
    assert_int_equal(fake.opened, 3 + FTL_BOOTIMAGE_PROGRAMS);
}

static void spawn_grants_what_the_manifest_asks_for_and_the_console(void **state)
{
    (void)state;
    struct ftl_environ env;
    ftl_handle_t process;

    assert_int_equal(spawn("web", FTL_ISOLATION_USER, &process, NULL), FTL_OK);
    assert_int_equal(ftl_environ_open(&env, fake.blob, fake.blob_size), FTL_OK);
    assert_int_equal(env.handle_count, 2);
    assert_in_range(ftl_environ_find(&env, "console"), FIRST_HANDLE + GRANTED_SHIFT, UINT32_MAX);
    assert_in_range(ftl_environ_find(&env, "net"), FIRST_HANDLE + GRANTED_SHIFT, UINT32_MAX);
    assert_int_equal(env.arg_count, 2);
    assert_string_equal(ftl_environ_arg(&env, 1), "8080");

    assert_int_equal(spawn("bare", FTL_ISOLATION_SANDBOX, &process, NULL), FTL_OK);
    assert_int_equal(ftl_environ_open(&env, fake.blob, fake.blob_size), FTL_OK);
    assert_int_equal(env.handle_count, 1);
    assert_in_range(ftl_environ_find(&env, "console"), FIRST_HANDLE + GRANTED_SHIFT, UINT32_MAX);
}

static void spawn_leaves_out_what_the_starter_has_not_but_for_descriptors(void **state)
{
    static const struct ftl_spawn_handle lacking[] = {
        { "console", FTL_HANDLE_INVALID, FTL_RIGHTS_SAME },
        { "fd/0/console/0", FTL_HANDLE_INVALID, FTL_RIGHTS_SAME },
        { "fd/1,2/pipe/1", 13, FTL_RIGHTS_SAME },
        { "signals/17", 14, FTL_RIGHTS_SAME },
    };
    (void)state;
    struct ftl_app app;
    struct ftl_environ env;
    ftl_handle_t process;
    const struct ftl_spawn_options options = {
        .isolation = FTL_ISOLATION_SANDBOX,
        .args = args,
        .arg_count = 1,
        .handles = lacking,
        .handle_count = 4,
    };
    assert_int_equal(ftl_app_find(&image, "bare", &app), FTL_OK);
    assert_int_equal(ftl_spawn(&image, &app, &options, &process, NULL), FTL_OK);
    assert_int_equal(ftl_environ_open(&env, fake.blob, fake.blob_size), FTL_OK);
    assert_int_equal(env.handle_count, 3);
    assert_string_equal(env.handles[0].name, "fd/0/console/0");
    assert_int_equal(env.handles[0].handle, FTL_HANDLE_INVALID);
    assert_in_range(ftl_environ_find(&env, "fd/1,2/pipe/1"), FIRST_HANDLE + GRANTED_SHIFT,
                    UINT32_MAX);
    assert_in_range(ftl_environ_find(&env, "signals/17"), FIRST_HANDLE + GRANTED_SHIFT, UINT32_MAX);
}

static void spawn_leaves_nothing_behind_when_a_call_fails(void **state)
{
    (void)state;
    static const char *const steps[CALL_COUNT] = {
        [CALL_VMSPACE_CREATE] = "creating its process",
        [CALL_PROCESS_CREATE] = "creating its process",
        [CALL_OPEN] = "loading its program (no reason)",
        [CALL_LOAD] = "loading its program",
        [CALL_DUPLICATE] = "granting its handles",
        [CALL_GRANT] = "granting its handles",
        [CALL_START] = "starting it",
    };
    for (int call = 0; call < CALL_COUNT; call++) {
        ftl_handle_t process = 0;
        const char *step = NULL;
        fake.failing = (enum call)call;
        tear_down(state); /* programs that were opened before would stay so */
        memset(image.programs, 0, sizeof(image.programs));
        assert_int_equal(spawn("web", FTL_ISOLATION_USER, &process, &step), FTL_ERR_NO_MEMORY);
        assert_string_equal(step, steps[call]);
        assert_int_equal(fake.open, 0);
        assert_int_equal(process, 0);
    }
}

static void spawn_refuses_a_program_that_is_not_there(void **state)
{
    (void)state;
    ftl_handle_t process;
    const char *step = NULL;
    assert_int_equal(spawn("bare", FTL_ISOLATION_USER, &process, &step), FTL_ERR_NOT_FOUND);
    assert_string_equal(step, "finding its program");
    assert_int_equal(spawn("bare", no_isolation, &process, &step), FTL_ERR_INVALID_ARGUMENT);
    assert_int_equal(fake.open, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_manifest_says_what_the_app_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_manifest_means_the_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_manifest_says_what_a_service_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_driver_gets_what_belongs_to_its_device, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_list_of_drivers_is_read_line_by_line, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_list_of_services_is_read_line_by_line, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(names_that_are_no_app_are_not_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_malformed_manifest_is_reported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(apps_are_listed_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_malformed_image_gives_no_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_valid_boot_argument_names_the_isolation, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(isolation_names_go_both_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(spawn_starts_the_program_of_the_isolation, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_alias_is_the_app_that_it_stands_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(spawn_takes_the_best_program_that_all_harts_can_run, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(spawn_opens_a_program_once_and_keeps_so_many_open, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(spawn_grants_what_the_manifest_asks_for_and_the_console,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            spawn_leaves_out_what_the_starter_has_not_but_for_descriptors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(spawn_leaves_nothing_behind_when_a_call_fails, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(spawn_refuses_a_program_that_is_not_there, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
