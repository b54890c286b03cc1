unit_test(conf test_conf conf)
unit_test(conf test_errors conf)
unit_test(conf test_print conf)
unit_test(conf test_value conf)
