# Build types: RelWithDebInfo (the default: optimized, asserts on), Debug (FTL_DEBUG: lock checking too),
# Release (FTL_RELEASE: no asserts). Flags come from here alone, never from the caller's CFLAGS: they
# would reach code for another machine.
get_property(is_multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT is_multi_config AND NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Debug, RelWithDebInfo or Release" FORCE)
    set_property(CACHE CMAKE_BUILD_TYPE PROPERTY STRINGS Debug RelWithDebInfo Release)
endif()

foreach(language IN ITEMS C ASM)
    set(CMAKE_${language}_FLAGS "")
    set(CMAKE_${language}_FLAGS_DEBUG "-Og -g")
    set(CMAKE_${language}_FLAGS_RELWITHDEBINFO "-O2 -g")
    set(CMAKE_${language}_FLAGS_RELEASE "-O2 -g")
endforeach()
set(CMAKE_EXE_LINKER_FLAGS "")
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_compile_definitions($<$<CONFIG:Debug>:FTL_DEBUG=1> $<$<CONFIG:Release>:FTL_RELEASE=1>)
