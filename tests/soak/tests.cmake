# Everything at once, for as long as is asked, and then all is as it was: under the sanitizers, and as we ship it. Alone on the
# machine, because it measures memory.
foreach(build sanitized release)
    if(build STREQUAL release)
        set(binary ${CMAKE_SOURCE_DIR}/build/release/holdfast)
    else()
        set(binary $<TARGET_FILE:holdfast>)
    endif()
    add_test(NAME soak/${build} COMMAND /usr/bin/python3 -B ${CMAKE_CURRENT_LIST_DIR}/soak.py)
    set_tests_properties(soak/${build} PROPERTIES TIMEOUT 100000 SKIP_RETURN_CODE 77 RUN_SERIAL ON
        ENVIRONMENT "HOLDFAST_BINARY=${binary};HOLDFAST_RELEASE=${CMAKE_SOURCE_DIR}/build/release/holdfast")
endforeach()
