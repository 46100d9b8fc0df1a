# Everything made from the call table and from the definitions of protocols is made while configuring, so that no target
# has to wait for it; a change of them or of their generators configures anew.
set(call_table ${CMAKE_SOURCE_DIR}/user/lib/include/ftl/calls.def)
set(call_generator ${CMAKE_SOURCE_DIR}/scripts/gencalls.py)
set(FTL_GENERATED ${CMAKE_BINARY_DIR}/generated)

set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${call_table} ${call_generator})
file(MAKE_DIRECTORY ${FTL_GENERATED}/include/ftl ${FTL_GENERATED}/docs)
execute_process(
    COMMAND ${FTL_PYTHON} ${call_generator} ${call_table}
        --headers ${FTL_GENERATED}/include
        --stubs ${FTL_GENERATED}/stubs.c
        --kernel ${FTL_GENERATED}
        --docs ${FTL_GENERATED}/docs/calls.md
        --tests ${FTL_GENERATED}/calls_table.gen.h
    COMMAND_ERROR_IS_FATAL ANY)

file(GLOB protocol_definitions CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/user/protocols/*.ipc)
set(FTL_PROTOCOL_GENERATOR ${CMAKE_SOURCE_DIR}/scripts/genipc.py)
set(FTL_PROTOCOL_SOURCES "")
set(FTL_PROTOCOL_HEADERS "")
foreach(definition IN LISTS protocol_definitions)
    get_filename_component(protocol ${definition} NAME_WE)
    list(APPEND FTL_PROTOCOL_SOURCES ${FTL_GENERATED}/protocols/${protocol}.protocol.c)
    list(APPEND FTL_PROTOCOL_HEADERS ${FTL_GENERATED}/include/ftl/protocols/${protocol}.h)
endforeach()

set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${protocol_definitions} ${FTL_PROTOCOL_GENERATOR})
execute_process(
    COMMAND ${FTL_PYTHON} ${FTL_PROTOCOL_GENERATOR} ${protocol_definitions}
        --headers ${FTL_GENERATED}/include
        --sources ${FTL_GENERATED}/protocols
        --docs ${FTL_GENERATED}/docs/protocols.md
    COMMAND_ERROR_IS_FATAL ANY)
