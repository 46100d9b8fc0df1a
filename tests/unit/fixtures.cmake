# What tests read that is made by tools, in the build directory: device trees of QEMU's machines and of the
# JH7110, tar archives of several makers, the symbol table of a little program.
set(fixtures ${CMAKE_CURRENT_BINARY_DIR}/fixtures)
file(MAKE_DIRECTORY ${fixtures})

# --- Device trees ---

# ftl_qemu_dtb(NAME MACHINE [option...]): the tree QEMU hands to the firmware for these options.
function(ftl_qemu_dtb name machine)
    add_custom_command(OUTPUT ${fixtures}/${name}.dtb
        COMMAND ${FTL_QEMU} -M ${machine},dumpdtb=${name}.dtb -nographic ${ARGN} 2> ${name}.log
        WORKING_DIRECTORY ${fixtures}
        COMMENT "Dumping the device tree ${name}"
        VERBATIM)
    set(dtbs ${dtbs} ${fixtures}/${name}.dtb PARENT_SCOPE)
endfunction()

set(dtbs ${fixtures}/jh7110.dtb)
add_custom_command(OUTPUT ${fixtures}/jh7110.dtb
    COMMAND ${FTL_DTC} -q -I dts -O dtb -o ${fixtures}/jh7110.dtb ${CMAKE_CURRENT_SOURCE_DIR}/data/jh7110.dts
    DEPENDS data/jh7110.dts
    VERBATIM)

ftl_qemu_dtb(virt-1 virt -m 128M -smp 1)
ftl_qemu_dtb(virt-4 virt -m 128M -smp 4)
ftl_qemu_dtb(virt-8 virt -m 128M -smp 8)
ftl_qemu_dtb(sifive_u sifive_u -m 128M -smp 5)
ftl_qemu_dtb(virt-numa virt -m 256M -smp 2
    -object memory-backend-ram,id=ram0,size=128M -object memory-backend-ram,id=ram1,size=128M
    -numa node,memdev=ram0,cpus=0 -numa node,memdev=ram1,cpus=1)
# Any file will do as kernel and initrd: nothing runs.
ftl_qemu_dtb(virt-initrd virt -m 128M -smp 2
    -kernel ${CMAKE_CURRENT_SOURCE_DIR}/data/jh7110.dts -initrd ${CMAKE_CURRENT_SOURCE_DIR}/data/jh7110.dts
    -append "a=b \"c d\" ftl.isolation.hello=user")

# The target's libfdt under the sanitizers, with what the test needs to edit trees.
add_library(ftl_unit_libfdt STATIC
    ${FTL_DEPS}/libfdt/fdt.c ${FTL_DEPS}/libfdt/fdt_ro.c ${FTL_DEPS}/libfdt/fdt_rw.c ${FTL_DEPS}/libfdt/fdt_wip.c
    ${FTL_DEPS}/libfdt/fdt_empty_tree.c ${FTL_DEPS}/libfdt/fdt_sw.c)
target_compile_options(ftl_unit_libfdt PRIVATE ${unit_flags} -w)
target_include_directories(ftl_unit_libfdt SYSTEM PUBLIC ${FTL_DEPS}/libfdt)

# --- Archives ---

set(long_name a-directory-with-a-rather-long-name-for-a-boot-image)
set(long_name bin/${long_name}/a-file-whose-path-does-not-fit-into-the-name-of-a-tar-header)
file(WRITE ${fixtures}/tree/bin/hello.manifest "name = hello\n")
file(WRITE ${fixtures}/tree/bin/hello.user "not an ELF file, and not a multiple of 512 bytes\n")
file(WRITE ${fixtures}/tree/bin/empty "")
file(WRITE ${fixtures}/tree/${long_name} "long\n")

set(archives ${fixtures}/cmake-gnutar.tar ${fixtures}/tar-gnu.tar ${fixtures}/tar-ustar.tar)
add_custom_command(OUTPUT ${archives}
    COMMAND ${CMAKE_COMMAND} -E tar cf ../cmake-gnutar.tar --format=gnutar bin
    COMMAND tar --format=gnu -cf ../tar-gnu.tar ./bin
    COMMAND tar --format=ustar -cf ../tar-ustar.tar bin
    WORKING_DIRECTORY ${fixtures}/tree
    DEPENDS fixtures.cmake
    VERBATIM)

# --- Symbols ---

add_custom_command(OUTPUT ${fixtures}/symbols.S
    COMMAND ${CMAKE_C_COMPILER} --target=riscv64-unknown-elf -c ${CMAKE_CURRENT_SOURCE_DIR}/data/symbols.s
        -o symbols.o
    COMMAND ${FTL_LLD} -Ttext=0x80001000 -e first symbols.o -o symbols.elf
    COMMAND ${FTL_PYTHON} ${CMAKE_SOURCE_DIR}/scripts/mklines.py --dwarfdump ${FTL_DWARFDUMP} --root /src
        symbols.elf -o symbols.lines
    COMMAND ${FTL_PYTHON} ${CMAKE_SOURCE_DIR}/scripts/mksymbols.py --nm ${FTL_NM} symbols.elf
        --lines ${fixtures}/symbols.lines -o symbols.S
    COMMAND ${FTL_PYTHON} ${CMAKE_SOURCE_DIR}/scripts/mksymbols.py --nm ${FTL_NM} symbols.elf
        --lines ${fixtures}/symbols.lines --check symbols.S
    WORKING_DIRECTORY ${fixtures}
    DEPENDS data/symbols.s ${CMAKE_SOURCE_DIR}/scripts/mksymbols.py ${CMAKE_SOURCE_DIR}/scripts/mklines.py
    VERBATIM)

add_custom_target(ftl_unit_fixtures DEPENDS ${dtbs} ${archives})
