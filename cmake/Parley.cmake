# Compiler settings and the few functions every CMakeLists.txt here uses.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
option(PARLEY_FUZZ "Build the libFuzzer targets (needs clang)" OFF)
set(PARLEY_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

add_compile_options(-Wall -Wextra -Wno-missing-field-initializers -Wno-missing-braces -Wshadow -Wconversion -Wvla -Wstrict-prototypes -Wmissing-prototypes
                    -Werror -fno-omit-frame-pointer -fstack-protector-strong)
add_compile_definitions(_GNU_SOURCE PARLEY_VERSION="${PROJECT_VERSION}")
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  add_compile_options(-O2 -D_FORTIFY_SOURCE=2 -gdwarf-4) # clang's DWARF 5 is more than valgrind 3.19 reads
endif()
if(PARLEY_SANITIZE)
  add_compile_options(-fsanitize=${PARLEY_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PARLEY_SANITIZE})
endif()
if(PARLEY_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
include_directories(${CMAKE_SOURCE_DIR})

find_package(PkgConfig REQUIRED)
foreach(lib libuv libzmq libczmq libmicrohttpd libwebsockets libjwt libpq jansson libsodium)
  string(REPLACE "lib" "" short ${lib})
  pkg_check_modules(${short} REQUIRED IMPORTED_TARGET ${lib})
endforeach()
# What libzmq itself was built with says "-isystem DIR" for Kerberos, which CMake takes for an include
# folder the first time and for an option from the second on: everything would be built twice.
foreach(lib zmq czmq)
  get_target_property(folders PkgConfig::${lib} INTERFACE_INCLUDE_DIRECTORIES)
  list(FILTER folders EXCLUDE REGEX "/mit-krb5$")
  set_target_properties(PkgConfig::${lib} PROPERTIES INTERFACE_COMPILE_OPTIONS ""
                                                     INTERFACE_INCLUDE_DIRECTORIES "${folders}")
endforeach()
pkg_check_modules(cmocka IMPORTED_TARGET cmocka)
find_library(MSGPACKC msgpackc REQUIRED)

# A pure core: no sockets, no clock, no randomness. tests/layering.py holds its includes to that.
#   parley_core(name file.c ... [LINK target ...])
function(parley_core name)
  cmake_parse_arguments(A "" "" "LINK" ${ARGN})
  add_library(${name} STATIC ${A_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC ${A_LINK})
endfunction()

# A cmocka test of the pure cores it links:  parley_unit_test(name LINK target ...)
# builds test_<name>.c and registers it with ctest as unit.<name>.
function(parley_unit_test name)
  cmake_parse_arguments(A "" "" "LINK" ${ARGN})
  add_executable(test_${name} test_${name}.c)
  target_link_libraries(test_${name} PRIVATE ${A_LINK} PkgConfig::cmocka)
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT 120 LABELS unit)
endfunction()

# A libFuzzer target: parley_fuzzer(name LINK target ...) builds fuzz_<name>.c and registers a short
# run over tests/fuzz/corpus/<name>/ as fuzz.<name>. Only with the fuzz preset.
function(parley_fuzzer name)
  if(NOT PARLEY_FUZZ)
    return()
  endif()
  cmake_parse_arguments(A "" "" "LINK" ${ARGN})
  add_executable(fuzz_${name} fuzz_${name}.c)
  target_link_libraries(fuzz_${name} PRIVATE ${A_LINK})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  set(work ${CMAKE_BINARY_DIR}/fuzz-work/${name})
  file(MAKE_DIRECTORY ${work})
  set(corpus ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
  add_test(NAME fuzz.${name}
           COMMAND fuzz_${name} -max_total_time=$<IF:$<BOOL:$ENV{FUZZ_SECONDS}>,$ENV{FUZZ_SECONDS},4>
                   -max_len=65536 -timeout=10 -rss_limit_mb=1024 -artifact_prefix=${work}/
                   ${work} ${corpus})
  set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT 300 LABELS fuzz)
endfunction()
