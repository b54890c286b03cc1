foreach(test test_loop test_link test_tls test_resolve test_upstream)
    unit_test(proxy ${test} proxy PkgConfig::LIBEVENT PkgConfig::OPENSSL)
endforeach()
