unit_test(tokens test_identifier tokens)
unit_test(tokens test_jws tokens)
unit_test(tokens test_proof tokens)
unit_test(tokens test_replay tokens)
