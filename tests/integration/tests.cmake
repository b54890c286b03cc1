# The real binary between real clients and real services. Each file is one theme and runs in a network of its own; what needs
# root and has none is skipped by name.
function(integration_test name)
    add_test(NAME integration/${name}
             COMMAND /usr/bin/python3 -B ${CMAKE_CURRENT_LIST_DIR}/test_${name}.py)
    set_tests_properties(integration/${name} PROPERTIES
        TIMEOUT 600 SKIP_RETURN_CODE 77
        ENVIRONMENT "HOLDFAST_BINARY=$<TARGET_FILE:holdfast>;HOLDFAST_RELEASE=${CMAKE_SOURCE_DIR}/build/release/holdfast;HOLDFAST_VECTORS=${HOLDFAST_VECTORS}")
endfunction()

foreach(theme
        harness clients http versions grpc_env gate framing authority ssrf dns upstream_tls reload start signals limits attacks attacks2 attacks4 attacks5 faults
        bodies malformed_bodies binary check reasons
        command oauth oauth_tokens oauth_mtls oauth_challenges token_records signed_answers gate_signatures ops overload workers resumption websocket websocket_handshake websocket_bytes websocket_ends websocket_h2 long_streams
        handles tasks ledger witness readme accountability
        mtls gate_clients
        http2 h2_authority h2_streams h2_abuse h2_clients grpc browser)
    integration_test(${theme})
endforeach()
set_property(TEST integration/readme APPEND PROPERTY ENVIRONMENT "HOLDFAST_SLOW=20") # it tells the demo's story
integration_test(unix_door)
integration_test(cgroups)
integration_test(valgrind)
integration_test(opaque)
integration_test(opaque_refused)
integration_test(opaque_ends)
integration_test(opaque_transparent)
integration_test(transparent)
integration_test(transparent_names)
integration_test(transparent_tasks)
integration_test(transparent_tproxy)
# Behind every door the life is the same: what these files promise of the inside of a tunnel, of one that begins at a transparent door.
foreach(theme http2 h2_authority framing malformed_bodies websocket websocket_h2 grpc)
    add_test(NAME integration/${theme}_transparent COMMAND /usr/bin/python3 -B ${CMAKE_CURRENT_LIST_DIR}/test_${theme}.py)
    set_tests_properties(integration/${theme}_transparent PROPERTIES
        TIMEOUT 600 SKIP_RETURN_CODE 77
        ENVIRONMENT "HOLDFAST_TEST_DOOR=transparent;HOLDFAST_BINARY=$<TARGET_FILE:holdfast>;HOLDFAST_RELEASE=${CMAKE_SOURCE_DIR}/build/release/holdfast;HOLDFAST_VECTORS=${HOLDFAST_VECTORS}")
endforeach()
integration_test(control)
integration_test(task_verbs)
integration_test(exec)
integration_test(records)
integration_test(operating)
set_tests_properties(integration/tasks PROPERTIES TIMEOUT 2400) # ten thousand ends

# A wall clock that a test can set.
add_library(clock_step MODULE ${CMAKE_CURRENT_LIST_DIR}/clock_step.c)
target_compile_options(clock_step PRIVATE -fno-sanitize=all) # it is loaded into what we ship, too
target_link_options(clock_step PRIVATE -fno-sanitize=all)
target_link_libraries(clock_step PRIVATE ${CMAKE_DL_LIBS})
integration_test(clock)
integration_test(as_peer)
integration_test(dns_door)
integration_test(dns_spoofed)
integration_test(bindings)
integration_test(steering)
integration_test(reflection)
integration_test(doctor)
integration_test(day_one)
integration_test(canary)
integration_test(theft)
integration_test(gate_dpop)
integration_test(gate_inquiry)
integration_test(gate_proofs)
integration_test(claim)
integration_test(config_map)
integration_test(kubernetes)
integration_test(kube_play)
set_tests_properties(integration/kubernetes integration/kube_play PROPERTIES TIMEOUT 1800) # other programs' starts, by the hundred
set_property(TEST integration/clock integration/doctor integration/gate_dpop integration/theft APPEND PROPERTY ENVIRONMENT "HOLDFAST_CLOCK_STEP=$<TARGET_FILE:clock_step>")

# What measures memory or counts on the clock does not share the machine.
set_tests_properties(integration/bodies integration/reload integration/overload integration/h2_abuse PROPERTIES RUN_SERIAL ON)

# Two who write ledgers, two who verify them; the second of each is the test's own.
add_executable(ledger_fill ${CMAKE_SOURCE_DIR}/bench/ledger_fill.c)
target_link_libraries(ledger_fill PRIVATE tasks)
integration_test(audit)
set_property(TEST integration/audit APPEND PROPERTY ENVIRONMENT "HOLDFAST_LEDGER_FILL=$<TARGET_FILE:ledger_fill>")
set_tests_properties(integration/audit integration/ledger PROPERTIES TIMEOUT 14400) # at soak size: a million records, 200 kills
set_tests_properties(integration/audit PROPERTIES TIMEOUT 3000) # a thousand tamperings

# Its images are built first; where there is no engine, and none can be started, it is skipped by name.
integration_test(compose)
set_tests_properties(integration/compose PROPERTIES TIMEOUT 3000)

add_test(NAME integration/demo COMMAND /usr/bin/python3 -B ${CMAKE_CURRENT_LIST_DIR}/story.py)
set_tests_properties(integration/demo PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77
    ENVIRONMENT "HOLDFAST_BINARY=$<TARGET_FILE:holdfast>;HOLDFAST_SLOW=20")
add_test(NAME integration/scripts
         COMMAND shellcheck -x test demo .ci/run .ci/prepare.sh tests/fuzz/run tests/fuzz/coverage docker/install.sh docker/pack.sh WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
