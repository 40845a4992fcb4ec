# weir_library / weir_test / weir_fuzzer: one way to declare a room, its tests and its fuzz targets.
add_library(weir_flags INTERFACE)
target_compile_options(weir_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wconversion -Wno-sign-conversion
  -fno-omit-frame-pointer)
if(WEIR_WARNINGS_AS_ERRORS)
  target_compile_options(weir_flags INTERFACE -Werror)
endif()
if(WEIR_SANITIZE)
  target_compile_options(weir_flags INTERFACE -fsanitize=${WEIR_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(weir_flags INTERFACE -fsanitize=${WEIR_SANITIZE})
endif()
if(WEIR_FUZZ)
  target_compile_options(weir_flags INTERFACE -fsanitize=fuzzer-no-link)  # coverage, without which libFuzzer is blind
endif()
target_include_directories(weir_flags INTERFACE ${PROJECT_SOURCE_DIR}/src)

# weir_library(<room> SOURCES ... DEPS ...): a room links only rooms on lower floors (tools/check_layers.py agrees).
function(weir_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(weir_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(weir_${name} PUBLIC weir_flags ${ARG_DEPS})
endfunction()

# weir_test(<name> SOURCES ... DEPS ... [LABEL unit|kernel]): `kernel` tests need root and real eBPF.
function(weir_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  if(NOT BUILD_TESTING)
    return()
  endif()
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  # What is tested is compiled as it ships; a test itself is compiled more often than it runs.
  target_compile_options(${name} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O0> $<$<CONFIG:RelWithDebInfo>:-g1>
    $<$<CONFIG:RelWithDebInfo>:-U_FORTIFY_SOURCE>)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gtest GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
endfunction()

if(WEIR_FUZZ)
  add_custom_target(fuzzers)  # all of them, built by ./dev fuzz
endif()

# weir_fuzzer(<name> SOURCES ... DEPS ...): a libFuzzer target; seeds live in a folder of the same name beside it.
function(weir_fuzzer name)
  if(NOT WEIR_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzzers ${name})
endfunction()
