# weir_bpf(<name> SOURCES a.bpf.c ...): compiles each hook family, links one object, generates <name>.skel.h.
find_program(WEIR_BPF_CLANG NAMES clang-19 clang-16 clang-14 clang REQUIRED)
find_program(WEIR_BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)

function(weir_bpf name)
  cmake_parse_arguments(ARG "" "" "SOURCES" ${ARGN})
  set(objects "")
  foreach(source ${ARG_SOURCES})
    get_filename_component(stem ${source} NAME_WE)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${stem}.o)
    add_custom_command(OUTPUT ${object}
      COMMAND ${WEIR_BPF_CLANG} -g -O2 -target bpf -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter
              -Wno-missing-declarations
              -I${CMAKE_CURRENT_SOURCE_DIR} -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
              -MD -MF ${object}.d -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${source} DEPFILE ${object}.d
      COMMENT "BPF ${source}" VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  set(linked ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
  set(skeleton ${CMAKE_CURRENT_BINARY_DIR}/${name}.skel.h)
  add_custom_command(OUTPUT ${linked}
    COMMAND ${WEIR_BPFTOOL} gen object ${linked} ${objects} DEPENDS ${objects} VERBATIM)
  add_custom_command(OUTPUT ${skeleton}
    COMMAND sh -c "${WEIR_BPFTOOL} gen skeleton ${linked} name ${name}_bpf > ${skeleton}" DEPENDS ${linked} VERBATIM)
  add_custom_target(${name}_skeleton DEPENDS ${skeleton})
  add_library(${name}_bpf INTERFACE)
  add_dependencies(${name}_bpf ${name}_skeleton)
  target_include_directories(${name}_bpf SYSTEM INTERFACE ${CMAKE_CURRENT_BINARY_DIR})
  target_include_directories(${name}_bpf INTERFACE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name}_bpf INTERFACE PkgConfig::LIBBPF)
endfunction()
