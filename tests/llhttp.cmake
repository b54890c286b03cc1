# The differential partner of our reader of HTTP/1: Debian's node-llhttp, C sources that are compiled here.
find_path(LLHTTP_SOURCES llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH)
find_path(LLHTTP_HEADERS llhttp.h PATHS /usr/share/include/llhttp /usr/include/llhttp NO_DEFAULT_PATH)
if(LLHTTP_SOURCES AND LLHTTP_HEADERS)
    add_library(llhttp STATIC ${LLHTTP_SOURCES}/llhttp.c ${LLHTTP_SOURCES}/api.c ${LLHTTP_SOURCES}/http.c)
    target_compile_options(llhttp PRIVATE -w -fno-sanitize=undefined)
    target_compile_definitions(llhttp PUBLIC LLHTTP_STRICT_MODE=1)
    target_include_directories(llhttp SYSTEM PUBLIC ${LLHTTP_HEADERS})
endif()
