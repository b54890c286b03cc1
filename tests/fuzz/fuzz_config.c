/* Config files. Whatever stands in one (and, behind a line of "====", in a second one
 * in conf.d), conf_load takes it or says where it fails, "file:line: …", in text for a
 * terminal. What it takes can be looked over and compiled. */
#include "tests/fuzz/fuzz.h"

#include "base/file.h"
#include "conf/conf.h"
#include "conf/finding.h"
#include "filters/chain.h"
#include "tasks/grant.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], main_file[80], parts[80], second_file[96];

static void
leave(void)
{
    unlink(main_file);
    unlink(second_file);
    rmdir(parts);
    rmdir(folder);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_to_nowhere();
    snprintf(folder, sizeof folder, "/tmp/holdfast-fuzz-XXXXXX");
    PROMISE(mkdtemp(folder) != NULL);
    snprintf(main_file, sizeof main_file, "%s/main.conf", folder);
    snprintf(parts, sizeof parts, "%s/conf.d", folder);
    snprintf(second_file, sizeof second_file, "%s/a.conf", parts);
    PROMISE(mkdir(parts, 0700) == 0);
    atexit(leave);
    return 0;
}

static void
put_file(const char *path, struct text t)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    PROMISE(fd >= 0 && write(fd, t.at, t.n) == (ssize_t)t.n);
    close(fd);
}

static void
put_files(struct text t)
{
    static const struct text mark = { "\n====\n", 6 };
    const char *at = t.n == 0 ? NULL : memmem(t.at, t.n, mark.at, mark.n);
    size_t n = at == NULL ? t.n : (size_t)(at - t.at) + 1;

    put_file(main_file, text_of(t.at, n));
    if (at == NULL)
        unlink(second_file);
    else
        put_file(second_file, text_of(at + mark.n, t.n - n - mark.n + 1));
}

/* "/tmp/…/main.conf:7: …": a line of one of our files. */
static bool
names_a_line(struct text line)
{
    struct text file = text_z(text_starts(line, text_z(main_file)) ? main_file
                                                                   : second_file);
    size_t n = file.n + 1, digits = 0;

    if (!text_starts(line, file) || line.n <= n || line.at[file.n] != ':')
        return false;
    while (n < line.n && line.at[n] >= '0' && line.at[n] <= '9') {
        n++;
        digits++;
    }
    return digits > 0 && line.at[file.n + 1] != '0' && n < line.n && line.at[n] == ':';
}

static void
promise_report(struct text report)
{
    struct text line;
    size_t named = 0;

    for (size_t i = 0; i < report.n; i++)
        PROMISE(((unsigned char)report.at[i] >= ' ' && report.at[i] != 0x7f) ||
                is_one_of((unsigned char)report.at[i], "\n\t"));
    while (text_split(&report, '\n', &line))
        named += names_a_line(line);
    PROMISE(named > 0);
}

/* What was taken is whole: it can be judged, and compiled or refused with a place. */
static void
use(const struct conf *c)
{
    struct buf report = { 0 };
    struct grants *grants = NULL;
    struct findings findings = { 0 };

    PROMISE(c->path != NULL && c->doors.n > 0);
    conf_lint(c, 1800000000, &findings);
    findings_print(&findings, &report);
    if (findings.n > 0)
        promise_report(buf_text(&report));
    findings_free(&findings);
    buf_free(&report);
    if (grants_new(c, &report, &grants) != REASON_OK)
        promise_report(buf_text(&report));
    grants_free(grants);
    buf_free(&report);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf report = { 0 };
    struct conf *c;
    size_t n;
    const struct conf_filter_table *tables = chain_tables(&n);

    put_files(input_of(data, size));
    if (conf_load(main_file, tables, n, &report, &c) == REASON_OK) {
        use(c);
        conf_free(c);
    } else {
        PROMISE(c == NULL);
        promise_report(buf_text(&report));
    }
    buf_free(&report);
    return 0;
}
