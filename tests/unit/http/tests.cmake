unit_test(http test_framing http)
