foreach(test test_loop test_link test_tls test_resolve test_upstream test_generation
        test_mailbox test_builder test_privilege test_watch test_secrets
        test_refusal test_worker test_rate test_metrics test_series test_ops)
    unit_test(proxy ${test} proxy PkgConfig::LIBEVENT PkgConfig::OPENSSL)
endforeach()
