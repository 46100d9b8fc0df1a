# FTL_EXT_SOURCES are our own files of ext file systems. They lie on libext2fs of e2fsprogs: what the file server needs
# of its sources, include directories, and what its own build generates, by the target ext2fs_generated.
set(FTL_EXT_SOURCES ext.c ext_cache.c ext_directory.c ext_journal.c ext_map.c ext_node.c ext_space.c)
set(ext2fs ${FTL_DEPS}/e2fsprogs/lib)
set(ext2fs_generated ${CMAKE_BINARY_DIR}/generated/ext2fs)
set(FTL_EXT2FS_INCLUDES ${CMAKE_CURRENT_LIST_DIR}/ext2fs ${ext2fs} ${ext2fs_generated})
set(FTL_EXT2FS_SOURCES)
foreach(name IN ITEMS alloc alloc_sb alloc_stats alloc_tables badblocks bitmaps bitops blkmap64_ba blkmap64_rb
        blknum block bmap check_desc closefs crc16 crc32c csum dir_iterate dirblock dirhash ext_attr extent
        fallocate fileio freefs gen_bitmap gen_bitmap64 get_num_dirs hashmap i_block ind_block initialize
        inline inline_data inode io_manager link lookup mkdir mmp newdir openfs punch rbtree read_bb res_gdt
        rw_bitmaps sha512 symlink valid_blk)
    list(APPEND FTL_EXT2FS_SOURCES ${ext2fs}/ext2fs/${name}.c)
endforeach()

if(NOT TARGET ext2fs_generated)
    ftl_find_tool(FTL_AWK awk)
    add_executable(ext2fs_crc32c_table ${ext2fs}/ext2fs/gen_crc32ctable.c)
    target_compile_options(ext2fs_crc32c_table PRIVATE -w)
    set_target_properties(ext2fs_crc32c_table PROPERTIES EXPORT_COMPILE_COMMANDS OFF)
    add_custom_command(
        OUTPUT ${ext2fs_generated}/crc32c_table.h
        COMMAND ext2fs_crc32c_table > ${ext2fs_generated}/crc32c_table.h
        VERBATIM)
    set(errors ${ext2fs_generated}/ext2fs/ext2_err.h)
    file(MAKE_DIRECTORY ${ext2fs_generated}/ext2fs)
    add_custom_command(
        OUTPUT ${errors}
        COMMAND ${FTL_AWK} -f ${ext2fs}/et/et_h.awk -v outfile=${errors} -v outfn=ext2_err.h
            ${ext2fs}/ext2fs/ext2_err.et.in
        DEPENDS ${ext2fs}/et/et_h.awk ${ext2fs}/ext2fs/ext2_err.et.in
        VERBATIM)
    add_custom_target(ext2fs_generated DEPENDS ${ext2fs_generated}/crc32c_table.h ${errors})
endif()
