# Nightly tests, which ctest must not even list unless they are asked for. CTest has no option for that in
# its own files, so these tests are written into a script of their own, which ctest reads (property
# TEST_INCLUDE_FILES) and which declares them only when the word "nightly" stands somewhere on ctest's
# command line (-L nightly, -R nightly.name, --preset nightly) or FTL_NIGHTLY is set and not empty.
set(nightly_script ${CMAKE_BINARY_DIR}/nightly_tests.cmake)
set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY TEST_INCLUDE_FILES ${nightly_script})
file(CONFIGURE OUTPUT ${nightly_script} @ONLY CONTENT [=[
# NUL, which separates the words, ends a string for file(STRINGS).
file(STRINGS /proc/self/cmdline command_line)
if(NOT "$ENV{FTL_NIGHTLY}" STREQUAL "" OR command_line MATCHES "nightly")
    set(configuration "@CMAKE_BUILD_TYPE@")
    if(CTEST_CONFIGURATION_TYPE)
        set(configuration "${CTEST_CONFIGURATION_TYPE}")
    endif()
    include("@CMAKE_BINARY_DIR@/nightly_tests_${configuration}.cmake")
endif()
]=])

# The list itself is whole, and its generator expressions known, only at the end.
set_property(GLOBAL PROPERTY FTL_NIGHTLY_TESTS "")
function(ftl_write_nightly_tests)
    get_property(tests GLOBAL PROPERTY FTL_NIGHTLY_TESTS)
    file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/nightly_tests_$<CONFIG>.cmake CONTENT "${tests}")
endfunction()
cmake_language(DEFER DIRECTORY ${CMAKE_SOURCE_DIR} CALL ftl_write_nightly_tests)

# ftl_add_test(NAME name COMMAND word... LABELS label... [PROPERTIES name value ...]): add_test() that knows
# of nightly tests. No word may hold a character that needs quoting in CMake.
function(ftl_add_test)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "COMMAND;LABELS;PROPERTIES")
    if("nightly" IN_LIST arg_LABELS)
        set(name nightly.${arg_NAME})
        list(JOIN arg_COMMAND "\" \"" command)
        list(JOIN arg_PROPERTIES "\" \"" properties)
        string(CONCAT declaration
            "add_test(\"${name}\" \"${command}\")\n"
            "set_tests_properties(\"${name}\" PROPERTIES LABELS \"${arg_LABELS}\" \"${properties}\")\n")
        set_property(GLOBAL APPEND_STRING PROPERTY FTL_NIGHTLY_TESTS "${declaration}")
    else()
        add_test(NAME ${arg_NAME} COMMAND ${arg_COMMAND})
        set_tests_properties(${arg_NAME} PROPERTIES LABELS "${arg_LABELS}" ${arg_PROPERTIES})
    endif()
endfunction()
