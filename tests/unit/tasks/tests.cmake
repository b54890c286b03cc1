unit_test(tasks test_caller tasks)
unit_test(tasks test_pattern tasks)
unit_test(tasks test_grant tasks)
unit_test(tasks test_task tasks)
