# One line a test: unit_test(room test_file library).
