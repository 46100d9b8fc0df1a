# ftl_qemu_test(NAME x [VARIANT name] SMP n... [ARGS word...] [LABELS nightly] [TIMEOUT seconds])
# Runs x.py of this directory (see run_test.py for what is in it) once for each number of harts. A guest
# takes a host CPU for each hart; PROCESSORS keeps ctest -j from starving it.
function(ftl_qemu_test)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;VARIANT;TIMEOUT" "SMP;ARGS;LABELS")
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${arg_NAME}.py)
        message(FATAL_ERROR "ftl_qemu_test: there is no tests/qemu/${arg_NAME}.py")
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 180)
    endif()
    set(variant "")
    if(arg_VARIANT)
        set(variant -${arg_VARIANT})
    endif()
    foreach(smp IN LISTS arg_SMP)
        ftl_add_test(NAME qemu.${arg_NAME}${variant}.smp${smp}
            COMMAND ${FTL_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/run_test.py
                --build-dir ${CMAKE_BINARY_DIR} --smp ${smp} ${arg_NAME} ${arg_ARGS}
            LABELS qemu ${arg_LABELS}
            PROPERTIES TIMEOUT ${arg_TIMEOUT} PROCESSORS ${smp})
    endforeach()
endfunction()
