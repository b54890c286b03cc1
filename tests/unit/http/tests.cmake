unit_test(http test_headers http)
unit_test(http test_framing http)
unit_test(http test_requests http)
unit_test(http test_answers http)
unit_test(http test_http2 http)
unit_test(http test_http2_abuse http)

# Without llhttp's sources (tests/llhttp.cmake) it says so and is skipped.
unit_test(http test_llhttp http)
if(TARGET llhttp)
    target_link_libraries(test_llhttp PRIVATE llhttp)
    target_compile_definitions(test_llhttp PRIVATE HAVE_LLHTTP)
endif()
