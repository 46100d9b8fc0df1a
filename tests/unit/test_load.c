/*
 * user/lib/src/load.c: which calls loading a program makes, with what. The kernel is a fake that
 * counts handles, keeps what is mapped, and fails the call it is told to.
 */
#include "host/test.h"

#include <ftl/code.h>
#include <ftl/handle.h>
#include <ftl/load.h>
#include <ftl/process.h>
#include <ftl/system.h>
#include <ftl/vmo.h>

#include "host/elf_file.h"

#define FILE_SIZE    0x4000u
#define FILE_VMO     5
#define PROCESS      6
#define FIRST_HANDLE 100
#define BASE         0x100000u
#define MAPPINGS_MAX 4

enum call {
    CALL_ISA,
    CALL_DUPLICATE,
    CALL_CODE,
    CALL_ROOM,
    CALL_MAP_CODE,
    CALL_VMO,
    CALL_WRITE,
    CALL_MAP,
    CALL_MAP_COPY,
    CALL_IMAGE,
    CALL_COUNT,
    NO_CALL = CALL_COUNT,
};

static struct {
    enum call failing;
    ftl_handle_t next;
    int open;
    uint32_t isa;
    ftl_rights_t rights; /* of the file, asked for */
    struct ftl_code_layout layout;
    uintptr_t code_at;
    struct {
        ftl_handle_t vmo;
        uint64_t offset;
        size_t size;
        uint32_t permissions;
        uintptr_t address;
    } mappings[MAPPINGS_MAX];
    size_t mapping_count;
    char copy[FILE_SIZE]; /* what was written to the last VMO */
    uint64_t copy_size;
    struct {
        uint64_t offset;
        size_t file_size;
        uintptr_t address;
        size_t memory_size;
    } copied;
    uint64_t image_offset;
    uint64_t image_size;
} fake;

static _Alignas(8) char file[FILE_SIZE + 512];

static ftl_status_t result_of(enum call call)
{
    return fake.failing == call ? FTL_ERR_NO_MEMORY : FTL_OK;
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
    fake.rights = rights;
    return give_handle(CALL_DUPLICATE, copy);
}

ftl_status_t ftl_system_isa(uint32_t *isa)
{
    *isa = fake.isa;
    return result_of(CALL_ISA);
}

ftl_status_t ftl_code_create(ftl_handle_t image, uint64_t offset, uint64_t size,
                             const struct ftl_code_layout *layout, ftl_handle_t *code)
{
    assert_int_not_equal(image, FTL_HANDLE_INVALID);
    assert_int_equal(offset % FTL_PAGE_SIZE, 0);
    assert_int_equal(size, FILE_SIZE);
    fake.layout = *layout;
    return give_handle(CALL_CODE, code);
}

ftl_status_t ftl_process_find_room(ftl_handle_t process, size_t size, size_t guard,
                                   uintptr_t *address)
{
    assert_int_equal(process, PROCESS);
    assert_int_equal(size, ELF_FILE_SPAN);
    assert_true(guard > 0);
    *address = BASE;
    return result_of(CALL_ROOM);
}

ftl_status_t ftl_process_map_code(ftl_handle_t process, ftl_handle_t code, uintptr_t address)
{
    assert_int_equal(process, PROCESS);
    assert_int_not_equal(code, FTL_HANDLE_INVALID);
    fake.code_at = address;
    return result_of(CALL_MAP_CODE);
}

ftl_status_t ftl_process_map(ftl_handle_t process, ftl_handle_t vmo, uint64_t offset, size_t size,
                             uint32_t permissions, uintptr_t address, uintptr_t *mapped)
{
    assert_int_equal(process, PROCESS);
    assert_true(fake.mapping_count < MAPPINGS_MAX);
    fake.mappings[fake.mapping_count].vmo = vmo;
    fake.mappings[fake.mapping_count].offset = offset;
    fake.mappings[fake.mapping_count].size = size;
    fake.mappings[fake.mapping_count].permissions = permissions;
    fake.mappings[fake.mapping_count].address = address;
    fake.mapping_count++;
    *mapped = address;
    return result_of(CALL_MAP);
}

ftl_status_t ftl_process_map_copy(ftl_handle_t process, ftl_handle_t image, uint64_t offset,
                                  size_t file_size, uintptr_t address, size_t memory_size)
{
    assert_int_equal(process, PROCESS);
    assert_int_not_equal(image, FTL_HANDLE_INVALID);
    fake.copied.offset = offset;
    fake.copied.file_size = file_size;
    fake.copied.address = address;
    fake.copied.memory_size = memory_size;
    return result_of(CALL_MAP_COPY);
}

ftl_status_t ftl_process_set_image(ftl_handle_t process, ftl_handle_t image, uint64_t offset,
                                   uint64_t size, uintptr_t address)
{
    assert_int_equal(process, PROCESS);
    assert_int_not_equal(image, FTL_HANDLE_INVALID);
    assert_int_equal(address, BASE);
    fake.image_offset = offset;
    fake.image_size = size;
    return result_of(CALL_IMAGE);
}

ftl_status_t ftl_vmo_create(uint64_t size, ftl_handle_t *vmo)
{
    fake.copy_size = size;
    memset(fake.copy, 0, sizeof(fake.copy));
    return give_handle(CALL_VMO, vmo);
}

ftl_status_t ftl_vmo_write(ftl_handle_t vmo, uint64_t offset, const void *data, size_t size)
{
    assert_int_equal(vmo, fake.next - 1);
    assert_true(offset <= fake.copy_size && size <= fake.copy_size - offset);
    memcpy(fake.copy + offset, data, size);
    return result_of(CALL_WRITE);
}

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    fake.failing = NO_CALL;
    fake.next = FIRST_HANDLE;
    for (size_t i = 0; i < sizeof(file); i++) {
        file[i] = (char)(i * 7);
    }
    return 0;
}

static struct ftl_program *program;
static char why[FTL_PROGRAM_WHY_MAX];

/* Opens the program, at this offset of its VMO. */
static ftl_status_t open_at(uint64_t offset, ftl_isolation_t isolation)
{
    struct elf_file headers = elf_file_headers(isolation);
    memcpy(file, &headers, sizeof(headers));
    struct ftl_program_file where = {
        .vmo = FILE_VMO, .offset = offset, .data = file, .size = FILE_SIZE
    };
    program = NULL;
    why[0] = '\0';
    return ftl_program_open(&program, &where, isolation, why, sizeof(why));
}

static void user_program_shares_what_it_does_not_write(void **state)
{
    (void)state;
    uintptr_t entry;
    assert_int_equal(open_at(3 * FTL_PAGE_SIZE, FTL_ISOLATION_USER), FTL_OK);
    assert_int_equal(fake.rights, FTL_RIGHT_READ | FTL_RIGHT_MAP | FTL_RIGHT_EXECUTE);
    assert_int_equal(fake.open, 1);
    assert_int_equal(ftl_program_load(program, PROCESS, &entry), FTL_OK);
    assert_int_equal(entry, BASE + ELF_FILE_ENTRY);
    assert_int_equal(fake.mapping_count, 1);

    assert_int_equal(fake.mappings[0].vmo, FIRST_HANDLE); /* that of the file */
    assert_int_equal(fake.mappings[0].offset, 3 * FTL_PAGE_SIZE);
    assert_int_equal(fake.mappings[0].size, ELF_FILE_CODE_SIZE);
    assert_int_equal(fake.mappings[0].permissions, FTL_MAP_READ | FTL_MAP_EXEC);
    assert_int_equal(fake.mappings[0].address, BASE);

    assert_int_equal(fake.copied.offset, 3 * FTL_PAGE_SIZE + ELF_FILE_DATA);
    assert_int_equal(fake.copied.file_size, ELF_FILE_DATA_SIZE);
    assert_int_equal(fake.copied.address, BASE + ELF_FILE_DATA);
    assert_int_equal(fake.copied.memory_size, ELF_FILE_DATA_MEMORY);

    assert_int_equal(fake.image_offset, 3 * FTL_PAGE_SIZE);
    assert_int_equal(fake.image_size, FILE_SIZE);
    assert_int_equal(fake.open, 1);
    ftl_program_close(program);
    assert_int_equal(fake.open, 0);
}

static void sandboxed_program_is_verified_when_opened_and_mapped_behind_the_gate(void **state)
{
    (void)state;
    uintptr_t entry;
    assert_int_equal(open_at(0, FTL_ISOLATION_SANDBOX), FTL_OK);
    assert_int_equal(fake.layout.file_offset, FTL_GATE_SIZE);
    assert_int_equal(fake.layout.file_size, ELF_FILE_CODE_SIZE - FTL_GATE_SIZE);
    assert_int_equal(fake.layout.memory_size, ELF_FILE_CODE_SIZE - FTL_GATE_SIZE);
    assert_int_equal(fake.layout.image_size, ELF_FILE_SPAN);
    assert_int_equal(fake.layout.entry, ELF_FILE_ENTRY);
    assert_int_equal(ftl_program_load(program, PROCESS, &entry), FTL_OK);
    assert_int_equal(fake.code_at, BASE);
    assert_int_equal(fake.mapping_count, 0);
    assert_int_equal(fake.copied.address, BASE + ELF_FILE_DATA);
    ftl_program_close(program);
    assert_int_equal(fake.open, 0);
}

static void file_that_starts_inside_a_page_is_copied_first(void **state)
{
    (void)state;
    assert_int_equal(open_at(512, FTL_ISOLATION_USER), FTL_OK);
    assert_int_equal(fake.copy_size, FILE_SIZE);
    assert_memory_equal(fake.copy, file, FILE_SIZE);
    uintptr_t entry;
    assert_int_equal(ftl_program_load(program, PROCESS, &entry), FTL_OK);
    assert_int_equal(fake.mappings[0].offset, 0);
    assert_int_equal(fake.image_offset, 0);
    ftl_program_close(program);
    assert_int_equal(fake.open, 0);
}

static void program_for_other_harts_or_isolations_is_refused_with_a_reason(void **state)
{
    (void)state;
    struct elf_file headers = elf_file_headers(FTL_ISOLATION_USER);
    headers.note[3] = FTL_ISA_ZBA | FTL_ISA_ZBB;
    memcpy(file, &headers, sizeof(headers));
    struct ftl_program_file where = { .vmo = FILE_VMO, .data = file, .size = FILE_SIZE };
    fake.isa = FTL_ISA_ZBA;
    assert_int_equal(ftl_program_open(&program, &where, FTL_ISOLATION_USER, why, sizeof(why)),
                     FTL_ERR_NOT_SUPPORTED);
    assert_string_equal(why, "needs Zbb, which not every hart has");
    why[0] = '\0';
    assert_int_equal(ftl_program_open(&program, &where, FTL_ISOLATION_SANDBOX, why, sizeof(why)),
                     FTL_ERR_BAD_FORMAT);
    assert_int_not_equal(why[0], '\0');
    assert_int_equal(fake.open, 0);
}

static void every_call_that_fails_leaves_nothing_open(void **state)
{
    for (int isolation = 0; isolation < 2; isolation++) {
        for (int call = 0; call < CALL_COUNT; call++) {
            uintptr_t entry;
            set_up(state);
            fake.failing = (enum call)call;
            /* Not at a page, so that the file is copied: all calls are made. */
            ftl_status_t status = open_at(512, (ftl_isolation_t)isolation);
            if (status == FTL_OK) {
                status = ftl_program_load(program, PROCESS, &entry);
                ftl_program_close(program);
            }
            bool made = isolation == FTL_ISOLATION_SANDBOX
                            ? call != CALL_MAP
                            : call != CALL_CODE && call != CALL_MAP_CODE;
            assert_int_equal(status, made ? FTL_ERR_NO_MEMORY : FTL_OK);
            assert_int_equal(fake.open, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(user_program_shares_what_it_does_not_write, set_up),
        cmocka_unit_test_setup(sandboxed_program_is_verified_when_opened_and_mapped_behind_the_gate,
                               set_up),
        cmocka_unit_test_setup(file_that_starts_inside_a_page_is_copied_first, set_up),
        cmocka_unit_test_setup(program_for_other_harts_or_isolations_is_refused_with_a_reason,
                               set_up),
        cmocka_unit_test_setup(every_call_that_fails_leaves_nothing_open, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
