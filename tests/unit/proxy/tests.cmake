foreach(test test_loop)
    unit_test(proxy ${test} proxy PkgConfig::LIBEVENT PkgConfig::OPENSSL)
endforeach()
