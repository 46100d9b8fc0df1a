# Everything made from the call table is made while configuring, so that no target has to wait for it;
# a change of the table or of its generator configures anew.
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
