unit_test(http test_headers http)
unit_test(http test_framing http)
unit_test(http test_requests http)
unit_test(http test_answers http)

# The differential partner is Debian's node-llhttp, C sources that are compiled here. Without them the test says so and
# is skipped.
unit_test(http test_llhttp http)
find_path(LLHTTP_SOURCES llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH)
find_path(LLHTTP_HEADERS llhttp.h PATHS /usr/share/include/llhttp /usr/include/llhttp NO_DEFAULT_PATH)
if(LLHTTP_SOURCES AND LLHTTP_HEADERS)
    add_library(llhttp STATIC ${LLHTTP_SOURCES}/llhttp.c ${LLHTTP_SOURCES}/api.c ${LLHTTP_SOURCES}/http.c)
    target_compile_options(llhttp PRIVATE -w -fno-sanitize=undefined)
    target_compile_definitions(llhttp PUBLIC LLHTTP_STRICT_MODE=1)
    target_include_directories(llhttp SYSTEM PUBLIC ${LLHTTP_HEADERS})
    target_link_libraries(test_llhttp PRIVATE llhttp)
    target_compile_definitions(test_llhttp PRIVATE HAVE_LLHTTP)
endif()
