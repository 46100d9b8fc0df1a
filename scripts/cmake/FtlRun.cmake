# `cmake --build build --target run`: builds everything and boots it on this terminal.
add_custom_target(run
    COMMAND ${CMAKE_COMMAND} --build ${CMAKE_BINARY_DIR}
    COMMAND ${CMAKE_COMMAND} -E env FTL_NO_SETUP=1
        ${CMAKE_SOURCE_DIR}/scripts/run --build-dir ${CMAKE_BINARY_DIR} --no-build
    USES_TERMINAL
    VERBATIM)
