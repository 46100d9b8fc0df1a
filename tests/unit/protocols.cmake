# What is made of all definitions of protocols, and of data/sample.ipc, under the sanitizers: ftl_unit_protocols. The
# header protocols.test.h fills in, encodes and decodes all of their messages. Kernel calls are the test's business.
set(sample ${CMAKE_CURRENT_SOURCE_DIR}/data/sample.ipc)
set(unit_protocols ${CMAKE_CURRENT_BINARY_DIR}/protocols)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${sample})
execute_process(
    COMMAND ${FTL_PYTHON} ${FTL_PROTOCOL_GENERATOR} ${sample} --headers ${unit_protocols} --sources ${unit_protocols}
    COMMAND_ERROR_IS_FATAL ANY)
execute_process(
    COMMAND ${FTL_PYTHON} ${FTL_PROTOCOL_GENERATOR} ${sample} ${protocol_definitions}
        --tests ${unit_protocols}/protocols.test.h
    COMMAND_ERROR_IS_FATAL ANY)

add_library(ftl_unit_protocols STATIC ${unit_protocols}/sample.protocol.c ${FTL_PROTOCOL_SOURCES})
target_link_libraries(ftl_unit_protocols PUBLIC ftl_unit_flags)
target_include_directories(ftl_unit_protocols SYSTEM PUBLIC ${unit_protocols})
