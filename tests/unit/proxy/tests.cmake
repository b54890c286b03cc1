foreach(test test_loop test_link)
    unit_test(proxy ${test} proxy PkgConfig::LIBEVENT PkgConfig::OPENSSL)
endforeach()
