# Interface targets: link one to get its flags.
#   ftl_warnings      every warning, as an error
#   ftl_include       include roots shared by kernel, apps and host tools
#   ftl_kernel_flags  compile and link flags of kernel code (C and assembly)
add_library(ftl_warnings INTERFACE)
target_compile_options(ftl_warnings INTERFACE
    $<$<COMPILE_LANGUAGE:C>:-Wall -Wextra -Wshadow -Wconversion -Wundef -Wvla -Wstrict-prototypes
    -Wmissing-prototypes -Wimplicit-fallthrough -Werror>)

add_library(ftl_include INTERFACE)
target_include_directories(ftl_include INTERFACE
    ${CMAKE_SOURCE_DIR}
    ${CMAKE_SOURCE_DIR}/user/lib/include
    ${CMAKE_BINARY_DIR}/generated
    ${CMAKE_BINARY_DIR}/generated/include)

# Presets set it: what the kernel is checked for while it runs.
set(FTL_SANITIZE "" CACHE STRING "Empty, undefined or address: build the kernel with this sanitizer")
set_property(CACHE FTL_SANITIZE PROPERTY STRINGS "" undefined address)
if(NOT FTL_SANITIZE MATCHES "^(|undefined|address)$")
    message(FATAL_ERROR "FTL_SANITIZE: '${FTL_SANITIZE}' is neither empty, undefined nor address")
endif()

# ftl_sanitize(TARGET option...): for its C files; reports name files from the repository's root on.
function(ftl_sanitize target)
    string(REGEX MATCHALL "/" slashes ${CMAKE_SOURCE_DIR}/) # the root is a component, too
    list(LENGTH slashes depth)
    set(options ${ARGN} -fsanitize-undefined-strip-path-components=${depth})
    target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:C>:${options}>")
endfunction()

set(FTL_KERNEL_TARGET --target=riscv64-unknown-elf -march=rv64imac_zicsr_zifencei -mabi=lp64)
add_library(ftl_kernel_flags INTERFACE)
target_compile_options(ftl_kernel_flags INTERFACE
    ${FTL_KERNEL_TARGET}
    -mcmodel=medany
    -mno-relax
    -ffreestanding
    -fno-pic
    -fno-common
    -fno-omit-frame-pointer
    -momit-leaf-frame-pointer
    -fno-stack-protector
    -fno-asynchronous-unwind-tables
    -fno-strict-aliasing
    -fno-delete-null-pointer-checks
    -ffunction-sections
    -fdata-sections)
target_include_directories(ftl_kernel_flags INTERFACE ${CMAKE_SOURCE_DIR}/arch/riscv/include)
target_link_options(ftl_kernel_flags INTERFACE
    ${FTL_KERNEL_TARGET}
    --ld-path=${FTL_LLD}
    -nostdlib
    -static
    -Wl,--build-id=none
    -Wl,--gc-sections
    -Wl,--fatal-warnings
    -Wl,-z,noexecstack)
target_link_libraries(ftl_kernel_flags INTERFACE ftl_warnings ftl_include)
