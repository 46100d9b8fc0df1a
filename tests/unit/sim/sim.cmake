# The kernel's core on the simulated machine (sim.h), as a library for tests: ftl_core_test(NAME test_x.c ...) is
# ftl_unit_test() with it; LONG: nightly once more, on many more schedules. Its files change
# harts at every atomic access; those below them do not.
set(core ${CMAKE_SOURCE_DIR})
file(GLOB ipc CONFIGURE_DEPENDS ${core}/ipc/*.c)
add_library(ftl_unit_core STATIC
    ${ipc}
    ${core}/arch/riscv/asid.c
    ${core}/arch/riscv/root.c
    ${core}/arch/riscv/tlb.c
    ${core}/kernel/calls.c
    ${core}/kernel/code.c
    ${core}/kernel/console.c
    ${core}/kernel/handle.c
    ${core}/kernel/image.c
    ${core}/kernel/leaf.c
    ${core}/kernel/loader.c
    ${core}/kernel/object.c
    ${core}/kernel/object_types.c
    ${core}/kernel/priority.c
    ${core}/kernel/process.c
    ${core}/kernel/sched.c
    ${core}/kernel/spinlock.c
    ${core}/kernel/system.c
    ${core}/kernel/thread.c
    ${core}/kernel/thread_calls.c
    ${core}/kernel/timer_queue.c
    ${core}/mm/account.c
    ${core}/mm/page_tree.c
    ${core}/mm/vmo.c
    ${core}/mm/vmspace.c
    ${core}/mm/vmspace_switch.c
    ${FTL_GENERATED}/calls.gen.c)
target_compile_options(ftl_unit_core PRIVATE -include ${CMAKE_CURRENT_SOURCE_DIR}/sim/yield_points.h)
add_library(ftl_unit_sim STATIC
    ${core}/arch/riscv/sv39.c
    ${core}/kernel/elf.c
    ${core}/kernel/elf_lines.c
    ${core}/kernel/format.c
    ${core}/kernel/status.c
    ${core}/mm/page.c
    sim/core.c
    sim/sim.c)
foreach(library IN ITEMS ftl_unit_core ftl_unit_sim)
    target_compile_definitions(${library} PUBLIC FTL_DEBUG)
    target_link_libraries(${library} PUBLIC ftl_unit_flags)
endforeach()
target_link_libraries(ftl_unit_core PUBLIC ftl_unit_sim)
target_link_libraries(ftl_unit_sim PUBLIC ftl_unit_core ftl_unit_host cmocka)
target_link_options(ftl_unit_sim PUBLIC -Wl,--wrap=page_free,--wrap=tlb_flush)

function(ftl_core_test)
    cmake_parse_arguments(PARSE_ARGV 0 arg "LONG" "NAME" "LIBRARIES")
    ftl_unit_test(NAME ${arg_NAME} ${arg_UNPARSED_ARGUMENTS} LIBRARIES ftl_unit_core ${arg_LIBRARIES})
    if(arg_LONG)
        string(REGEX REPLACE "\\.c$" "" name ${arg_NAME})
        ftl_add_test(NAME unit.${name}.long COMMAND $<TARGET_FILE:${name}> LABELS unit nightly
            PROPERTIES TIMEOUT 900 WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
            ENVIRONMENT "FTL_SIM_EFFORT=40")
    endif()
endfunction()
