foreach(test test_loop test_link test_tls test_alpn test_resolve test_upstream test_issuer_answers test_pool test_pool_room test_generation
        test_mailbox test_doorbell test_builder test_reaper test_doors test_privilege test_watch test_secrets
        test_refusal test_worker test_errand test_helper test_tls_clients test_outbox test_rate test_metrics test_series test_ops test_descriptors)
    unit_test(proxy ${test} proxy PkgConfig::LIBEVENT PkgConfig::OPENSSL)
endforeach()

# The relay between sockets and a TLS of the test's own.
unit_test(proxy test_relay proxy PkgConfig::LIBEVENT PkgConfig::OPENSSL)
target_link_options(test_relay PRIVATE
    -Wl,--wrap=send,--wrap=tls_read,--wrap=tls_has_pending,--wrap=tls_shutdown,--wrap=tls_free)
unit_test(proxy test_verb proxy)
unit_test(proxy test_awaited proxy)
unit_test(proxy test_control_socket proxy)
unit_test(proxy test_naming proxy)
unit_test(proxy test_grpc proxy)
unit_test(proxy test_lineage proxy)
unit_test(proxy test_steer proxy)
target_compile_definitions(test_steer PRIVATE STEER_SCRIPTS="${CMAKE_CURRENT_LIST_DIR}/steer")
