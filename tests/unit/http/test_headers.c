/* The list of fields, and what each name means to a head. */
#include "driver.h"

static struct arena *arena;

static int
set_up(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static struct headers
abc(void)
{
    struct headers h;

    headers_init(&h, arena);
    headers_add(&h, TEXT("A"), TEXT("1"));
    headers_add(&h, TEXT("b"), TEXT("2"));
    headers_add(&h, TEXT("a"), TEXT("3"));
    headers_add(&h, TEXT("C"), TEXT("4"));
    return h;
}

static void
names_are_found_whatever_their_case(void **state)
{
    struct headers h = abc();

    (void)state;
    assert_true(text_equals(headers_get(&h, TEXT("a"))->value, TEXT("1")));
    assert_true(text_equals(headers_get(&h, TEXT("B"))->value, TEXT("2")));
    assert_true(headers_has(&h, TEXT("c")));
    assert_false(headers_has(&h, TEXT("d")));
    assert_null(headers_get(&h, TEXT("")));
    assert_int_equal(headers_count(&h, TEXT("A")), 2);
    assert_int_equal(headers_count(&h, TEXT("x")), 0);
}

static void
removing_a_name_removes_every_field_of_it_and_keeps_the_order(void **state)
{
    struct headers h = abc();

    (void)state;
    assert_int_equal(headers_remove(&h, TEXT("A")), 2);
    assert_int_equal(h.n, 2);
    assert_true(text_equals(h.at[0].name, TEXT("b")));
    assert_true(text_equals(h.at[1].name, TEXT("C")));
    assert_int_equal(headers_remove(&h, TEXT("A")), 0);
    headers_remove_at(&h, 0);
    assert_int_equal(h.n, 1);
    assert_true(text_equals(h.at[0].name, TEXT("C")));
}

static void
a_list_grows_past_its_first_room(void **state)
{
    struct headers h;

    (void)state;
    headers_init(&h, arena);
    for (size_t i = 0; i < 1000; i++)
        headers_add(&h, arena_printf(arena, "n%zu", i), TEXT("v"));
    assert_int_equal(h.n, 1000);
    assert_true(text_equals(h.at[0].name, TEXT("n0")));
    assert_true(text_equals(h.at[999].name, TEXT("n999")));
}

static void
room_that_was_reserved_is_not_allocated_again(void **state)
{
    struct headers h;
    size_t used;

    (void)state;
    headers_init(&h, arena);
    headers_reserve(&h, 40);
    used = arena_used(arena);
    for (size_t i = 0; i < 40; i++)
        headers_add(&h, TEXT("n"), TEXT("v"));
    assert_int_equal(arena_used(arena), used);
}

enum { HOP = 1, GUARDED = 2, NO_TRAILER = 4 };

static const struct {
    const char *name;
    unsigned is;
} known[] = {
    { "Connection", HOP | GUARDED | NO_TRAILER },
    { "keep-alive", HOP | GUARDED | NO_TRAILER },
    { "Proxy-Connection", HOP | GUARDED | NO_TRAILER },
    { "TE", HOP | GUARDED | NO_TRAILER },
    { "Trailer", HOP | GUARDED | NO_TRAILER },
    { "Transfer-Encoding", HOP | GUARDED | NO_TRAILER },
    { "Upgrade", HOP | GUARDED | NO_TRAILER },
    { "HTTP2-Settings", HOP | GUARDED | NO_TRAILER },
    { "Content-Length", GUARDED | NO_TRAILER },
    { "hOST", GUARDED | NO_TRAILER },
    { "Expect", GUARDED | NO_TRAILER },
    { "Authorization", GUARDED | NO_TRAILER },
    { "Proxy-Authorization", GUARDED | NO_TRAILER },
    { "Proxy-Authenticate", GUARDED | NO_TRAILER },
    { "WWW-Authenticate", GUARDED | NO_TRAILER },
    { "Cookie", GUARDED | NO_TRAILER },
    { "Set-Cookie", GUARDED | NO_TRAILER },
    { "DPoP", GUARDED | NO_TRAILER },
    { "Txn-Token", GUARDED | NO_TRAILER },
    { "Signature", GUARDED | NO_TRAILER },
    { "Signature-Input", GUARDED | NO_TRAILER },
    { "Signature-Agent", GUARDED | NO_TRAILER },
    { "X-API-Key", GUARDED | NO_TRAILER },
    { "API-Key", GUARDED | NO_TRAILER },
    { "X-Auth-Token", GUARDED | NO_TRAILER },
    { "X-Access-Token", GUARDED | NO_TRAILER },
    { "Private-Token", GUARDED | NO_TRAILER },
    { "X-Amz-Security-Token", GUARDED | NO_TRAILER },
    { "X-Amz-Content-SHA256", GUARDED | NO_TRAILER },
    { "X-Amz-Date", GUARDED | NO_TRAILER },
    { "X-Amz-Checksum-CRC32", GUARDED },
    { "Forwarded", GUARDED | NO_TRAILER },
    { "X-Forwarded-For", GUARDED | NO_TRAILER },
    { "X-Forwarded-", 0 },
    { "X-Real-IP", GUARDED | NO_TRAILER },
    { "X-Original-URL", GUARDED | NO_TRAILER },
    { "X-Rewrite-URL", GUARDED | NO_TRAILER },
    { "X-HTTP-Method-Override", GUARDED | NO_TRAILER },
    { "X-Holdfast-Caller", GUARDED | NO_TRAILER },
    { "Workload-Identity-Token", GUARDED | NO_TRAILER },
    { "Workload-Proof-Token", GUARDED | NO_TRAILER },
    { "Max-Forwards", GUARDED | NO_TRAILER },
    { "Age", NO_TRAILER },
    { "Cache-Control", NO_TRAILER },
    { "Content-Encoding", NO_TRAILER },
    { "Content-Location", NO_TRAILER },
    { "Content-Range", NO_TRAILER },
    { "Content-Type", NO_TRAILER },
    { "Date", NO_TRAILER },
    { "Expires", NO_TRAILER },
    { "If-Match", NO_TRAILER },
    { "If-Modified-Since", NO_TRAILER },
    { "If-None-Match", NO_TRAILER },
    { "If-Range", NO_TRAILER },
    { "If-Unmodified-Since", NO_TRAILER },
    { "Location", NO_TRAILER },
    { "Pragma", NO_TRAILER },
    { "Range", NO_TRAILER },
    { "Retry-After", NO_TRAILER },
    { "Vary", NO_TRAILER },
    { "Warning", NO_TRAILER },
    { "grpc-status", 0 },
    { "Digest", 0 },
    { "Accept", 0 },
    { "Hosts", 0 },
    { "Hos", 0 },
    { "Hosu", 0 },
    { "TF", 0 },
    { "X", 0 },
    { "X-A-Name-That-Is-Longer-Than-Any-Name-We-Know-And-Longer-Than-Sixty-Four", 0 },
};

static void
each_name_is_what_the_rfc_and_our_guards_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(known); i++) {
        struct text name = text_z(known[i].name);
        unsigned is = (field_is_hop_by_hop(name) ? HOP : 0u) |
                      (field_is_guarded(name) ? GUARDED : 0u) |
                      (field_is_forbidden_in_trailer(name) ? NO_TRAILER : 0u);

        if (is != known[i].is)
            fail_msg("%s: %u instead of %u", known[i].name, is, known[i].is);
    }
}

static void
a_guarded_name_is_known_behind_its_underscores(void **state)
{
    static const struct {
        const char *name;
        bool is_guarded;
    } rows[] = {
        { "Content_Length", true },
        { "transfer_encoding", true },
        { "Proxy_Authorization", true },
        { "X_Forwarded_For", true },
        { "x-forwarded_proto", true },
        { "Workload_Identity_Token", true },
        { "X_Holdfast_Caller", true },
        { "X_Holdfast_A_Name_That_Is_Longer_Than_Sixty_Four_Bytes_In_All_To_Be_Cut",
          true },
        { "Txn_Token", true },
        { "X_Custom", false },
        { "Content_Lengths", false },
        { "_", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (field_is_guarded_in_disguise(text_z(rows[i].name)) != rows[i].is_guarded)
            fail_msg("%s", rows[i].name);
}

static void
another_list_is_added_with_what_its_sender_said_of_each(void **state)
{
    struct arena *a = arena_new();
    struct headers from, to;

    (void)state;
    headers_init(&from, a);
    headers_init(&to, a);
    headers_add(&to, TEXT("first"), TEXT("1"));
    headers_add_all(&to, &from);
    assert_int_equal(to.n, 1);
    for (size_t i = 0; i < 20; i++)
        headers_add_secret(&from, TEXT("secret"), TEXT("2"));
    headers_add(&from, TEXT("plain"), TEXT("3"));
    headers_add_all(&to, &from);
    assert_int_equal(to.n, 22);
    assert_false(to.at[0].never_index);
    assert_true(to.at[1].never_index && to.at[20].never_index);
    assert_false(to.at[21].never_index);
    assert_true(text_equals(to.at[21].name, TEXT("plain")));
    arena_free(a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_whatever_their_case),
        cmocka_unit_test(removing_a_name_removes_every_field_of_it_and_keeps_the_order),
        cmocka_unit_test(a_list_grows_past_its_first_room),
        cmocka_unit_test(room_that_was_reserved_is_not_allocated_again),
        cmocka_unit_test(another_list_is_added_with_what_its_sender_said_of_each),
        cmocka_unit_test(each_name_is_what_the_rfc_and_our_guards_say),
        cmocka_unit_test(a_guarded_name_is_known_behind_its_underscores),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
