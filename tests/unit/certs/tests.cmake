foreach(test test_key test_public_key test_ca test_leaf test_trust)
    unit_test(certs ${test} certs PkgConfig::OPENSSL Threads::Threads)
endforeach()
unit_test(certs test_pair certs PkgConfig::OPENSSL)
