/* tasks/audit: a whole ledger is whole; whatever was done to one is called by its name,
 * in one line, where it was done. The ledger is this file's own, three segments of six
 * records; one that tasks/ledger.c wrote is read at the end. */
#include "tests/unit/certs/scratch.h"

#include "base/memory.h"
#include "base/digest.h"
#include "tasks/audit.h"
#include "tasks/ledger.h"
#include "tokens/jws.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>

enum { SEGMENTS = 4, LINES = LEDGER_CHECKPOINT_RECORDS + 44, EACH = 6 };

/* Segments from 1; their lines without newlines. */
static struct {
    char *lines[LINES];
    size_t n;
    const char *tail;
} segments[SEGMENTS + 1];
static struct key *key;
static char key_name[THUMBPRINT_SIZE + 1];
static uint64_t seq;
static char prev[SHA256_BASE64URL_SIZE + 1];
static char *kept; /* the last checkpoint */

static struct buf report;
static struct audit_result result;

/* ---- writing */

/* Of the record with this number. */
static const char *
stamp(uint64_t number, char out[32])
{
    snprintf(out, 32, "2026-11-22T06:07:%02" PRIu64 ".901Z", number % 60);
    return out;
}

static char *put(unsigned segment, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static char *
put(unsigned segment, const char *format, ...)
{
    char members[2048], ts[32], *line;
    va_list args;

    va_start(args, format);
    vsnprintf(members, sizeof members, format, args);
    va_end(args);
    seq++;
    assert_true(asprintf(&line,
                         "{\"seq\":%" PRIu64
                         ",\"prev\":\"%s\",\"ts\":\"%s\",\"kind\":%s}",
                         seq, prev, stamp(seq, ts), members) > 0);
    digest_sha256_base64url(text_z(line), prev);
    segments[segment].lines[segments[segment].n++] = line;
    return line;
}

static void
put_checkpoint(unsigned segment)
{
    char head[256], claims[512], ts[32], spelt[BASE64URL_SIZE(256) + 1];
    struct buf jws = { 0 };
    size_t n;

    snprintf(head, sizeof head,
             "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"ledger+jws\"}", key_name);
    n = base64url_encode((const unsigned char *)head, strlen(head), spelt);
    snprintf(claims, sizeof claims,
             "{\"ledger\":\"%s\",\"seq\":%" PRIu64
             ",\"hash\":\"%s\",\"at\":1,\"ts\":\"%s\"}",
             key_name, seq, prev, stamp(seq + 1, ts));
    assert_int_equal(jws_sign(key, text_of(spelt, n), text_z(claims), &jws), REASON_OK);
    kept = put(segment, "\"checkpoint\",\"jws\":\"%.*s\"", TEXT_ARG(buf_text(&jws)));
    buf_free(&jws);
}

static void
put_segment(unsigned segment, const char *torn)
{
    put(segment, "\"segment\",\"segment\":%u,\"key\":\"%s\"%s", segment, key_name,
        torn);
    for (unsigned i = 0; i < 3; i++)
        put(segment, "\"decision\",\"verdict\":\"allow\",\"path\":\"/%u/%u\"", segment,
            i);
    put(segment, "\"end\"");
    put_checkpoint(segment);
}

static void
write_file(const char *name, struct text t)
{
    assert_int_equal(file_write(in_scratch(name), 0600, t), REASON_OK);
}

static void
write_ledger(void)
{
    struct buf bytes = { 0 };
    char name[64];

    for (unsigned s = 1; s <= SEGMENTS; s++) {
        snprintf(name, sizeof name, "ledger/ledger-%08u.jsonl", s);
        buf_truncate(&bytes, 0);
        for (size_t i = 0; i < segments[s].n; i++)
            buf_printf(&bytes, "%s\n", segments[s].lines[i]);
        if (segments[s].tail != NULL)
            buf_add_z(&bytes, segments[s].tail);
        if (buf_length(&bytes) > 0)
            write_file(name, buf_text(&bytes));
    }
    buf_free(&bytes);
}

static int
begin(void **state)
{
    struct buf jwk = { 0 };

    if (scratch_begin(state) != 0 || (key = key_new()) == NULL)
        return -1;
    key_thumbprint(key, key_name);
    memset(segments, 0, sizeof segments);
    memset(prev, 'A', SHA256_BASE64URL_SIZE);
    seq = 0;
    for (unsigned s = 1; s <= 3; s++)
        put_segment(s, "");
    jwk_print(key, NULL, &jwk);
    assert_int_equal(file_make_directory(in_scratch("ledger"), 0700), REASON_OK);
    write_file("ledger/key.jwk", buf_text(&jwk));
    write_file("kept", text_z(kept));
    buf_free(&jwk);
    return 0;
}

static int
end(void **state)
{
    for (unsigned s = 1; s <= SEGMENTS; s++)
        for (size_t i = 0; i < segments[s].n; i++)
            free(segments[s].lines[i]);
    key_free(key);
    buf_free(&report);
    return scratch_end(state);
}

#define AUDIT_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static enum reason
verify(const char *checkpoint)
{
    struct audit_asked asked = { .directory = in_scratch("ledger"),
                                 .checkpoint = checkpoint };

    buf_truncate(&report, 0);
    return audit_verify(&asked, &report, &result);
}

/* The whole report, and no word more. */
static void
assert_report(const char *wanted)
{
    char *said = strndup(buf_text(&report).n > 0 ? buf_text(&report).at : "",
                         buf_text(&report).n);

    assert_string_equal(said, wanted);
    free(said);
}

static void
assert_told(const char *wanted)
{
    write_ledger();
    assert_int_equal(verify(NULL), REASON_OK);
    assert_report(wanted);
    assert_int_equal(result.faults == 0, *wanted == '\0');
}

/* ---- what is done to it */

static void
cut(unsigned s, size_t i)
{
    free(segments[s].lines[i]);
    segments[s].n--;
    memmove(&segments[s].lines[i], &segments[s].lines[i + 1],
            (segments[s].n - i) * sizeof segments[s].lines[0]);
}

static void
insert(unsigned s, size_t i, const char *line)
{
    memmove(&segments[s].lines[i + 1], &segments[s].lines[i],
            (segments[s].n++ - i) * sizeof segments[s].lines[0]);
    segments[s].lines[i] = strdup(line);
}

static void
change(unsigned s, size_t i, const char *what)
{
    char *at = strstr(segments[s].lines[i], what);

    assert_non_null(at);
    *at = *at == '#' ? '?' : '#';
}

static void
swap(unsigned s, size_t i, unsigned t, size_t k)
{
    char *line = segments[s].lines[i];

    segments[s].lines[i] = segments[t].lines[k];
    segments[t].lines[k] = line;
}

/* The segment again, under the chain as it stands behind the one before. */
static void
write_anew(unsigned segment)
{
    seq = EACH * (segment - 1);
    digest_sha256_base64url(text_z(segments[segment - 1].lines[EACH - 1]), prev);
    while (segments[segment].n > 0)
        cut(segment, 0);
    put(segment, "\"segment\",\"segment\":%u,\"key\":\"%s\"", segment, key_name);
}

#define FIRST  "ledger-00000001.jsonl"
#define SECOND "ledger-00000002.jsonl"
#define THIRD  "ledger-00000003.jsonl"

/* ---- promises */

static void
a_whole_ledger_is_whole(void **state)
{
    (void)state;
    assert_told("");
    assert_int_equal(result.records, 3 * EACH);
    assert_int_equal(result.first, 1);
    assert_int_equal(result.last, 3 * EACH);
    assert_int_equal(result.segments, 3);
    assert_int_equal(result.checkpoints, 3);
    assert_int_equal(result.covered, 3 * EACH - 1);
    assert_true(result.is_ended);
    assert_int_equal(verify(in_scratch("kept")), REASON_OK);
    assert_report("");
}

static void
a_changed_record_is_named_where_it_stands(void **state)
{
    (void)state;
    change(2, 2, "allow");
    assert_told(SECOND ":3: record 9: changed, record 10 was written behind another\n");
}

static void
a_changed_link_is_its_own_records_fault(void **state)
{
    (void)state;
    segments[2].lines[2][20] ^= 1;
    assert_told(SECOND ":3: record 9: changed, it follows no record before it\n");
}

static void
a_changed_number_is_told(void **state)
{
    (void)state;
    segments[2].lines[2][7] = '8';
    assert_told(SECOND ":3: record 9: changed, it says it were record 8\n");
}

static void
what_is_no_record_any_more_is_told(void **state)
{
    (void)state;
    change(1, 1, "kind");
    assert_told(FIRST ":2: record 2: changed, it is not of a record's form\n");
}

static void
records_cut_out_are_counted(void **state)
{
    (void)state;
    cut(2, 2);
    cut(2, 2);
    assert_told(SECOND ":3: records 9 to 10: missing\n");
}

static void
the_end_of_a_segment_cut_out_is_missing_in_the_next(void **state)
{
    (void)state;
    cut(1, 5);
    assert_told(SECOND ":1: record 6: missing\n");
}

static void
a_record_that_stands_twice_is_told(void **state)
{
    (void)state;
    insert(2, 4, segments[2].lines[1]);
    assert_told(SECOND ":5: record 8: twice\n");
}

static void
a_record_of_another_segment_that_stands_twice_is_told(void **state)
{
    (void)state;
    insert(3, 2, segments[1].lines[2]);
    assert_told(THIRD ":3: record 3: twice\n");
}

static void
neighbours_that_changed_places_are_one_fault(void **state)
{
    (void)state;
    swap(2, 1, 2, 2);
    assert_told(SECOND ":3: record 8: out of order, behind record 9\n");
}

static void
records_of_two_segments_that_changed_places_are_two(void **state)
{
    (void)state;
    swap(1, 2, 3, 2);
    assert_told(FIRST ":3: record 15: out of order, where record 3 should stand\n" THIRD
                      ":3: record 3: out of order, where record 15 should stand\n");
}

static void
a_missing_segment_is_named(void **state)
{
    (void)state;
    while (segments[2].n > 0)
        cut(2, 0);
    assert_told(SECOND ": segment 2: missing\n");
}

static void
segments_that_changed_places_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < EACH; i++)
        swap(1, i, 2, i);
    assert_told(FIRST ": segment 2: out of order, in the place of segment 1\n" SECOND
                      ": segment 1: out of order, in the place of segment 2\n");
}

static void
a_segment_that_stands_twice_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < EACH; i++)
        insert(4, i, segments[2].lines[i]);
    assert_told("ledger-00000004.jsonl: segment 2: twice\n");
}

static void
a_segment_under_another_key_is_of_another_ledger(void **state)
{
    struct key *own = key;
    char own_name[sizeof key_name], wanted[256];

    (void)state;
    key = key_new();
    memcpy(own_name, key_name, sizeof own_name);
    key_thumbprint(key, key_name);
    while (segments[3].n > 0)
        cut(3, 0);
    seq = 2 * EACH;
    memset(prev, 'B', SHA256_BASE64URL_SIZE);
    put_segment(3, "");
    snprintf(wanted, sizeof wanted,
             THIRD ": segment 3: of another ledger, its key is %s\n", key_name);
    assert_told(wanted);
    key_free(key);
    key = own;
}

static void
records_hashed_anew_are_found_by_the_next_checkpoint(void **state)
{
    char *end_line;

    (void)state;
    /* The last segment once more, with other records and the old signature. */
    end_line = strdup(segments[3].lines[5]);
    write_anew(3);
    for (unsigned i = 0; i < 3; i++)
        put(3, "\"decision\",\"verdict\":\"refuse\"");
    put(3, "\"end\"");
    put(3, "\"checkpoint\",%.*s", (int)strlen(strstr(end_line, "\"jws\"")) - 1,
        strstr(end_line, "\"jws\""));
    free(end_line);
    assert_told(
        THIRD ":6: records up to 17: changed, this checkpoint was signed for others\n");
}

static void
records_that_nobody_signed_are_told(void **state)
{
    (void)state;
    write_anew(3);
    while (segments[3].n < LEDGER_CHECKPOINT_RECORDS)
        put(3, "\"decision\"");
    write_ledger();
    assert_int_equal(verify(NULL), REASON_OK);
    assert_int_equal(result.faults, 0); /* so many a kill may leave */
    put(3, "\"decision\"");
    assert_told(THIRD
                ":1: records 13 to 1037: changed, the checkpoints between them are "
                "missing\n");
    put_checkpoint(3);
    assert_told(THIRD
                ":1: records 13 to 1037: changed, the checkpoints between them are "
                "missing\n");
}

static void
nothing_stands_behind_a_segments_end(void **state)
{
    (void)state;
    put(3, "\"decision\",\"verdict\":\"allow\"");
    assert_told(THIRD ":7: record 19: inserted, behind the segment's end\n");
    write_anew(3);
    put(3, "\"end\"");
    put(3, "\"decision\",\"verdict\":\"allow\"");
    put_checkpoint(3);
    assert_told(THIRD ":3: record 15: changed or inserted, behind the segment's end "
                      "stands its checkpoint alone\n");
    write_anew(3);
    put(3, "\"end\",\"why\":\"TERM\"");
    put_checkpoint(3);
    assert_told(THIRD ":2: record 14: changed, an end says no more\n");
}

/* Whether it is sealed or not: there was no record to be torn. */
static void
no_torn_tail_stands_behind_a_segments_end(void **state)
{
    char torn[128], hash[SHA256_BASE64URL_SIZE];

    (void)state;
    segments[3].tail = "{\"seq\":19,\"pre";
    assert_told(THIRD ":7: 14 bytes inserted, behind the segment's end\n");
    digest_sha256_base64url(text_z(segments[3].tail), hash);
    snprintf(torn, sizeof torn, ",\"torn\":{\"bytes\":14,\"sha256\":\"%.*s\"}",
             SHA256_BASE64URL_SIZE, hash);
    put_segment(4, torn);
    assert_told(THIRD ":7: 14 bytes inserted, behind the segment's end\n");
}

#define OPEN_END                                                                       \
    ", not closed in order: the writer is at work or was killed, or the end was cut\n"

static void
a_ledger_without_its_last_checkpoint_is_whole_and_not_closed_in_order(void **state)
{
    (void)state;
    cut(3, 5);
    write_ledger();
    assert_int_equal(verify(NULL), REASON_OK);
    assert_report(THIRD ":5: record 17 is the last" OPEN_END);
    assert_int_equal(result.faults, 0);
    assert_false(result.is_ended);
    assert_int_equal(result.covered, 2 * EACH - 1);
    assert_int_equal(verify(in_scratch("kept")), REASON_OK);
    assert_report(THIRD ":5: record 17 is the last, and the checkpoint given is record "
                        "18: the tail was cut, or an older state put back\n");
}

static void
an_end_that_a_crash_left_without_its_checkpoint_is_no_fault(void **state)
{
    (void)state;
    cut(3, 5);
    seq = 3 * EACH - 1;
    digest_sha256_base64url(text_z(segments[3].lines[4]), prev);
    put_segment(4, "");
    assert_told("");
    assert_true(result.is_ended);
}

/* Signed by the ledger's own key, and yet spelt otherwise than a checkpoint is. */
static void
a_checkpoint_has_one_spelling(void **state)
{
    static const char *const rows[][2] = {
        { ",", ",\"more\":1}" }, { ",\"more\":1,", "}" }, { ", ", "}" }, { ",", " }" }
    };
    const char *jws = strstr(kept, "\"jws\"");
    int n = (int)strlen(jws) - 1;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *line;

        assert_true(asprintf(&line, "%.*s%s%.*s%s", (int)(jws - 1 - kept), kept,
                             rows[i][0], n, jws, rows[i][1]) > 0);
        segments[3].lines[5] = line;
        assert_told(THIRD ":6: record 18: changed, no checkpoint is spelt like this\n");
        segments[3].lines[5] = kept;
        free(line);
    }
}

static void
a_checkpoint_is_of_the_time_that_was_signed(void **state)
{
    char *at = strstr(segments[3].lines[5], "\"ts\":\"");

    (void)state;
    assert_non_null(at);
    at[6] = '3';
    assert_told(THIRD ":6: record 18: changed, it was signed at another time\n");
    write_file("kept", text_z(segments[3].lines[5]));
    at[6] = '2';
    write_ledger();
    assert_int_equal(verify(in_scratch("kept")), REASON_OK);
    assert_report("checkpoint: the checkpoint given: bad signature\n");
}

/* One byte of a file, in the file. */
static void
flip(int fd, off_t at, unsigned char bit)
{
    unsigned char c;

    assert_int_equal(pread(fd, &c, 1, at), 1);
    c ^= bit;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
}

static void
finds_a_flip(int fd, off_t at, unsigned char bit)
{
    flip(fd, at, bit);
    assert_int_equal(verify(NULL), REASON_OK);
    if (result.faults == 0)
        fail_msg("byte %lld ^ %u is not found", (long long)at, (unsigned)bit);
    flip(fd, at, bit);
}

/* A bit of each byte, and every bit of the last ones. */
static void
finds_every_flip(const char *segment, size_t last)
{
    int fd = open(in_scratch(segment), O_RDWR | O_CLOEXEC);
    struct stat st;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(st.st_size > (off_t)last);
    for (off_t at = 0; at < st.st_size; at++)
        if (at < st.st_size - (off_t)last)
            finds_a_flip(fd, at, (unsigned char)(1U << at % 8));
        else
            for (unsigned bit = 1; bit < 256; bit <<= 1)
                finds_a_flip(fd, at, (unsigned char)bit);
    assert_int_equal(close(fd), 0);
}

static void
a_flip_of_any_byte_of_a_ledger_closed_in_order_is_found(void **state)
{
    (void)state;
    while (segments[3].n > 0)
        cut(3, 0);
    write_anew(2);
    put(2, "\"lost\",\"records\":7");
    put(2, "\"end\"");
    put_checkpoint(2);
    assert_told("");
    assert_true(result.is_ended);
    finds_every_flip("ledger/" FIRST, 0);
    finds_every_flip("ledger/" SECOND,
                     strlen(segments[2].lines[2]) + strlen(segments[2].lines[3]) + 2);
    assert_int_equal(verify(NULL), REASON_OK);
    assert_report("");
}

static void
a_torn_tail_must_be_sealed_as_it_is(void **state)
{
    char torn[128], hash[SHA256_BASE64URL_SIZE];

    (void)state;
    write_anew(3);
    put_checkpoint(3);
    segments[3].tail = "{\"seq\":16,\"pre";
    assert_told(THIRD ":3: a torn tail of 14 bytes that nobody sealed\n");
    digest_sha256_base64url(text_z(segments[3].tail), hash);
    snprintf(torn, sizeof torn, ",\"torn\":{\"bytes\":14,\"sha256\":\"%.*s\"}",
             SHA256_BASE64URL_SIZE, hash);
    put_segment(4, torn);
    assert_told("");
    assert_int_equal(result.torn, 1);
    segments[3].tail = "{\"seq\":16,\"prE";
    assert_told("ledger-00000004.jsonl: segment 4: changed, the torn tail before it is "
                "not the one it sealed\n");
}

static void
a_cut_tail_is_found_by_the_checkpoint_kept(void **state)
{
    char *own;

    (void)state;
    for (unsigned i = 0; i < 2; i++)
        cut(3, segments[3].n - 1);
    write_ledger();
    assert_int_equal(verify(NULL), REASON_OK);
    assert_report(THIRD ":4: record 16 is the last" OPEN_END);
    assert_int_equal(result.faults, 0);
    assert_int_equal(result.covered, 2 * EACH - 1);
    assert_int_equal(verify(in_scratch("kept")), REASON_OK);
    assert_report(THIRD ":4: record 16 is the last, and the checkpoint given is record "
                        "18: the tail was cut, or an older state put back\n");
    /* The directory's own is as good, while it is there. */
    own = read_text(in_scratch("kept"));
    write_file("ledger/checkpoint", text_z(own));
    free(own);
    assert_int_equal(verify(NULL), REASON_OK);
    assert_int_equal(result.faults, 1);
}

/* As a witness has them: one behind the other. */
static void
of_several_checkpoints_kept_the_last_one_counts(void **state)
{
    char *old = memory_copy_z(segments[2].lines[EACH - 1]), *new = memory_copy_z(kept);
    struct buf several = { 0 };

    (void)state;
    for (unsigned i = 0; i < 2; i++)
        cut(3, segments[3].n - 1);
    write_ledger();
    buf_printf(&several, "%s\n%s\n", old, new);
    write_file("several", buf_text(&several));
    assert_int_equal(verify(in_scratch("several")), REASON_OK);
    assert_report(THIRD ":4: record 16 is the last, and the checkpoint given is record "
                        "18: the tail was cut, or an older state put back\n");
    buf_truncate(&several, 0);
    buf_printf(&several, "%s\n%s", new, old);
    write_file("several", buf_text(&several));
    assert_int_equal(verify(in_scratch("several")), REASON_OK);
    assert_int_equal(result.faults, 0);
    buf_free(&several);
    free(old);
    free(new);
}

static void
a_segment_that_is_none_is_told_though_its_chain_is_whole(void **state)
{
    (void)state;
    put(4, "\"decision\",\"verdict\":\"allow\"");
    assert_told(
        "ledger-00000004.jsonl: segment 4: changed, no segment begins like this\n");
    cut(4, 0);
    seq = 3 * EACH;
    digest_sha256_base64url(text_z(segments[3].lines[EACH - 1]), prev);
    put(4, "\"segment\",\"segment\":4,\"key\":\"%s\"",
        "\\n23456789012345678901234567890123456789012");
    assert_told(
        "ledger-00000004.jsonl: segment 4: changed, no segment begins like this\n");
    cut(4, 0);
    write_file("ledger/ledger-00000004.jsonl", TEXT(""));
    assert_told("ledger-00000004.jsonl: segment 4: changed, it holds no record\n");
}

static void
faults_past_the_hundredth_are_counted(void **state)
{
    struct buf all = { 0 };
    struct text rest, line;
    unsigned told = 0;

    (void)state;
    write_ledger();
    for (unsigned i = 0; i < 200; i++)
        buf_add_z(&all, "no record\n");
    write_file("ledger/" FIRST, buf_text(&all));
    buf_free(&all);
    assert_int_equal(verify(NULL), REASON_OK);
    assert_true(result.faults >= 200);
    rest = buf_text(&report);
    while (text_split(&rest, '\n', &line))
        told += line.n > 0;
    assert_int_equal(told, 100);
}

static void
what_cannot_be_read_has_its_reason(void **state)
{
    (void)state;
    write_ledger();
    assert_int_equal(verify(in_scratch("nowhere")), REASON_FILE_UNREADABLE);
    assert_int_equal(verify(in_scratch("ledger/" FIRST)), REASON_FILE_CONTENT);
    write_file("empty", TEXT(""));
    assert_int_equal(verify(in_scratch("empty")), REASON_FILE_CONTENT);
    write_file("empty", TEXT("\n"));
    assert_int_equal(verify(in_scratch("empty")), REASON_FILE_CONTENT);
    write_file("ledger/key.jwk", TEXT("{}"));
    assert_int_equal(verify(NULL), REASON_FILE_CONTENT);
    assert_int_equal(unlink(in_scratch("ledger/key.jwk")), 0);
    assert_int_equal(verify(NULL), REASON_FILE_UNREADABLE);
}

static bool
count_record(void *owner, struct text line, const struct json *record)
{
    uint64_t *n = owner;

    assert_true(json_is_object(record) && line.n > 0 && line.at[line.n - 1] == '}');
    return ++*n < 10;
}

static void
a_walk_takes_records_and_counts_the_rest(void **state)
{
    uint64_t n = 0, bad;

    (void)state;
    change(1, 1, "kind");
    change(1, 2, "\"/1");
    write_ledger();
    assert_int_equal(audit_walk(in_scratch("ledger"), count_record, &n, &bad),
                     REASON_OK);
    assert_int_equal(n, 10);
    assert_int_equal(bad, 2);
    assert_int_equal(audit_walk(in_scratch("nowhere"), count_record, &n, &bad),
                     REASON_FILE_UNREADABLE);
    assert_int_equal(mkdir(in_scratch("empty"), 0700), 0);
    assert_int_equal(audit_walk(in_scratch("empty"), count_record, &n, &bad),
                     REASON_FILE_CONTENT);
}

static void
what_the_writer_wrote_is_whole(void **state)
{
    struct ledger_settings settings = { .directory = in_scratch("real"),
                                        .segment_bytes = 4096,
                                        .queue_records = 1000,
                                        .queue_bytes = 1 << 20 };
    struct audit_asked asked = { .directory = in_scratch("real") };
    struct ledger *l;

    (void)state;
    assert_int_equal(file_make_directory(settings.directory, 0700), REASON_OK);
    for (unsigned start = 0; start < 2; start++) {
        assert_int_equal(ledger_open(&settings, &l), REASON_OK);
        for (unsigned i = 0; i < 60; i++)
            assert_int_equal(ledger_enter(l, "decision",
                                          TEXT("\"verdict\":\"allow\",\"path\":\"/\""),
                                          NULL),
                             REASON_OK);
        ledger_close(l);
    }
    assert_int_equal(audit_verify(&asked, &report, &result), REASON_OK);
    assert_report("");
    assert_true(result.records > 120 && result.segments > 2 && result.is_ended);
    assert_int_equal(result.covered, result.last - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AUDIT_TEST(a_whole_ledger_is_whole),
        AUDIT_TEST(a_changed_record_is_named_where_it_stands),
        AUDIT_TEST(a_changed_link_is_its_own_records_fault),
        AUDIT_TEST(a_changed_number_is_told),
        AUDIT_TEST(what_is_no_record_any_more_is_told),
        AUDIT_TEST(records_cut_out_are_counted),
        AUDIT_TEST(the_end_of_a_segment_cut_out_is_missing_in_the_next),
        AUDIT_TEST(a_record_that_stands_twice_is_told),
        AUDIT_TEST(a_record_of_another_segment_that_stands_twice_is_told),
        AUDIT_TEST(neighbours_that_changed_places_are_one_fault),
        AUDIT_TEST(records_of_two_segments_that_changed_places_are_two),
        AUDIT_TEST(a_missing_segment_is_named),
        AUDIT_TEST(segments_that_changed_places_are_named),
        AUDIT_TEST(a_segment_that_stands_twice_is_named),
        AUDIT_TEST(a_segment_under_another_key_is_of_another_ledger),
        AUDIT_TEST(records_hashed_anew_are_found_by_the_next_checkpoint),
        AUDIT_TEST(records_that_nobody_signed_are_told),
        AUDIT_TEST(nothing_stands_behind_a_segments_end),
        AUDIT_TEST(no_torn_tail_stands_behind_a_segments_end),
        AUDIT_TEST(
            a_ledger_without_its_last_checkpoint_is_whole_and_not_closed_in_order),
        AUDIT_TEST(an_end_that_a_crash_left_without_its_checkpoint_is_no_fault),
        AUDIT_TEST(a_checkpoint_has_one_spelling),
        AUDIT_TEST(a_checkpoint_is_of_the_time_that_was_signed),
        AUDIT_TEST(a_flip_of_any_byte_of_a_ledger_closed_in_order_is_found),
        AUDIT_TEST(a_torn_tail_must_be_sealed_as_it_is),
        AUDIT_TEST(a_cut_tail_is_found_by_the_checkpoint_kept),
        AUDIT_TEST(of_several_checkpoints_kept_the_last_one_counts),
        AUDIT_TEST(a_segment_that_is_none_is_told_though_its_chain_is_whole),
        AUDIT_TEST(faults_past_the_hundredth_are_counted),
        AUDIT_TEST(what_cannot_be_read_has_its_reason),
        AUDIT_TEST(a_walk_takes_records_and_counts_the_rest),
        AUDIT_TEST(what_the_writer_wrote_is_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
