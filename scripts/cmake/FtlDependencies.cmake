# Third-party sources and tools, all of them fetched by scripts/setup.
set(FTL_DEPS ${CMAKE_SOURCE_DIR}/.deps)
foreach(source IN ITEMS libfdt/fdt.c musl/configure tcc/lib/lib-arm64.c lwip/src/core/init.c
        http-parser/http_parser.c toybox/main.c lua/src/lua.c zstd/lib/zstd.h bzip2/bzlib.h)
    if(NOT EXISTS ${FTL_DEPS}/${source})
        message(FATAL_ERROR "${FTL_DEPS}/${source} is missing: run scripts/setup")
    endif()
endforeach()

# ftl_find_tool(VARIABLE NAME): the full path of a tool that scripts/setup installs.
function(ftl_find_tool variable name)
    find_program(${variable} ${name})
    if(NOT ${variable})
        message(FATAL_ERROR "${name} is missing: run scripts/setup")
    endif()
    mark_as_advanced(${variable})
endfunction()

ftl_find_tool(FTL_PYTHON python3)
ftl_find_tool(FTL_LLD ld.lld-19)
ftl_find_tool(FTL_AR llvm-ar-19)
ftl_find_tool(FTL_NM llvm-nm-19)
ftl_find_tool(FTL_OBJCOPY llvm-objcopy-19)
ftl_find_tool(FTL_STRIP llvm-strip-19)
ftl_find_tool(FTL_DWARFDUMP llvm-dwarfdump-19)
ftl_find_tool(FTL_DTC dtc)
ftl_find_tool(FTL_QEMU qemu-system-riscv64)
