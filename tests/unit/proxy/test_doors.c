/* Which of the places a request could go to are our own doors. */
#include "tests/unit/proxy/stage.h"

#include "proxy/worker.h"

enum { OURS = 15001, OTHER = 443 };

struct row {
    const char *door;
    const char *address; /* where the request would go */
    uint16_t port;
    bool is_own;          /* by its address … */
    bool is_on_all_ports; /* … or, here, by its port, once the socket says it is ours */
};

static const struct row rows[] = {
    { "127.0.0.1", "127.0.0.1", OURS, true, false },
    { "127.0.0.1", "127.0.0.1", OTHER, false, false },
    { "127.0.0.1", "127.0.0.2", OURS, false, false },
    { "127.0.0.1", "20.0.0.10", OURS, false, false },
    { "20.0.0.10", "20.0.0.10", OURS, true, false },
    { "20.0.0.10", "20.0.0.20", OURS, false, false },
    { "20.0.0.10", "20.0.0.20", OTHER, false, false },
    { "::1", "::1", OURS, true, false },
    { "::1", "127.0.0.1", OURS, false, false },
    { "0.0.0.0", "127.0.0.1", OURS, true, true },
    { "0.0.0.0", "10.1.2.3", OURS, true, true },
    { "0.0.0.0", "20.0.0.10", OURS, false, true },
    { "0.0.0.0", "20.0.0.10", OTHER, false, false },
    { "::", "::1", OURS, true, true },
    { "::", "127.0.0.1", OURS, true, true },
    { "::", "20.0.0.10", OURS, false, true },
};

static struct address
address_of(const char *z)
{
    struct address a;

    assert_true(address_parse(text_z(z), &a));
    return a;
}

/* The same port of another address is somebody else's service. */
static void
a_door_is_the_address_it_is_bound_to_and_all_of_ours_when_that_is_any(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        struct bound_door door = { .address = address_of(r->door), .port = OURS };
        struct worker w = { .start = { .doors = &door, .n_doors = 1 } };
        struct address to = address_of(r->address);

        if (worker_is_own_door(&w, &to, r->port) != r->is_own ||
            worker_has_port(&w, r->port) != r->is_on_all_ports)
            fail_msg("a door on %s, a request to %s port %u", r->door, r->address,
                     r->port);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(
            a_door_is_the_address_it_is_bound_to_and_all_of_ours_when_that_is_any),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
