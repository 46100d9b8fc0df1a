# Targets `image` (what a boot needs: ftl.elf and boot.tar at the build directory's top) and `run` (boots it
# on this terminal).
add_custom_target(image)

# The targets that make the image are declared later, by kernel/ and user/.
function(ftl_connect_image)
    foreach(target IN ITEMS ftl_kernel ftl_bootimage)
        if(TARGET ${target})
            add_dependencies(image ${target})
        endif()
    endforeach()
endfunction()
cmake_language(DEFER DIRECTORY ${CMAKE_SOURCE_DIR} CALL ftl_connect_image)

add_custom_target(run
    COMMAND ${CMAKE_COMMAND} -E env FTL_NO_SETUP=1
        ${CMAKE_SOURCE_DIR}/scripts/run --build-dir ${CMAKE_BINARY_DIR} --no-build
    USES_TERMINAL
    VERBATIM)
add_dependencies(run image)
