# One line a test: unit_test(room test_file library).
unit_test(base test_address base)
unit_test(base test_host base)
unit_test(base test_path base)
