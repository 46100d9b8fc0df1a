# ftl_unit_test(NAME test_x [SOURCES file...] [LIBRARIES lib...] [DEFINES name...] [ARGS word...]
#               [LABELS nightly] [TIMEOUT seconds])
# Builds test_x.c of this directory with the code under test into one cmocka executable under ASan and
# UBSan, and runs it in this directory. SOURCES are relative to the repository's root or to this directory. The host's
# stand-ins for arch/ and the kernel's edges (host/*.c) are a library: a test takes what it needs.
# Tests expect assertions to fail, so these are on in every build type.
set(unit_flags -UFTL_RELEASE -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all)

file(GLOB host_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/host/*.c)

add_library(ftl_unit_flags INTERFACE)
target_include_directories(ftl_unit_flags BEFORE INTERFACE ${CMAKE_CURRENT_SOURCE_DIR}/host/include)
target_include_directories(ftl_unit_flags INTERFACE ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_options(ftl_unit_flags INTERFACE ${unit_flags})
target_compile_definitions(ftl_unit_flags INTERFACE FTL_HOST_TEST=1)
target_link_options(ftl_unit_flags INTERFACE ${unit_flags} --ld-path=${FTL_LLD})
target_link_libraries(ftl_unit_flags INTERFACE ftl_warnings ftl_include)

if(host_sources)
    add_library(ftl_unit_host STATIC ${host_sources})
    target_link_libraries(ftl_unit_host PUBLIC ftl_unit_flags)
endif()

function(ftl_unit_test)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;TIMEOUT" "SOURCES;LIBRARIES;DEFINES;ARGS;LABELS")
    string(REGEX REPLACE "\\.c$" "" name ${arg_NAME})
    set(sources ${name}.c)
    foreach(source IN LISTS arg_SOURCES)
        if(EXISTS ${CMAKE_SOURCE_DIR}/${source})
            set(source ${CMAKE_SOURCE_DIR}/${source})
        endif()
        list(APPEND sources ${source})
    endforeach()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 120)
    endif()

    add_executable(${name} ${sources})
    target_compile_definitions(${name} PRIVATE ${arg_DEFINES})
    target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} ftl_unit_flags
        $<TARGET_NAME_IF_EXISTS:ftl_unit_host> cmocka pthread)
    ftl_add_test(NAME unit.${name} COMMAND $<TARGET_FILE:${name}> ${arg_ARGS}
        LABELS unit ${arg_LABELS}
        PROPERTIES TIMEOUT ${arg_TIMEOUT} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
endfunction()
