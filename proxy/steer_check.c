/* `holdfast steer --check`: from inside, as the workload, is every way past Holdfast
 * closed, and is its own door there? */
#include "proxy/bypass.h"
#include "proxy/ctl_line.h"
#include "proxy/knock.h"
#include "proxy/person.h"
#include "proxy/privilege.h"
#include "proxy/run.h"
#include "proxy/steer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- our doors */

/* A door on every address is asked by loopback. */
static struct address
reachable(const struct address *a)
{
    struct address to = *a;
    static const unsigned char none[16];
    bool six = a->family == AF_INET6;

    if (memcmp(a->bytes, none, six ? 16 : 4) == 0) {
        to.bytes[0] = six ? 0 : 127;
        to.bytes[six ? 15 : 3] = 1;
    }
    return to;
}

/* A host that no rule names: there is a refusal to be read, and nothing is done. */
static void
check_way_out(struct checkup *c, const char *name, const char *where, int fd)
{
    bool is = fd >= 0 &&
              knock_is_holdfast(fd, TEXT("GET http://door.invalid/ HTTP/1.1\r\n"
                                         "Host: door.invalid\r\n\r\n"));

    checkup_say(
        c, is, name, "the door at %s: %s", where,
        is ? "Holdfast answers"
           : "Holdfast does not answer: is it running (holdfast status), and may "
             "the workload come there?");
    if (fd >= 0)
        close(fd);
}

static void
check_forward(struct checkup *c, const struct conf_door *door)
{
    struct address to = reachable(&door->listen.address);
    struct buf where = { 0 };

    knock_write_authority(&to, door->listen.port, &where);
    buf_add_byte(&where, '\0');
    check_way_out(c, "door", buf_text(&where).at,
                  knock_connect(&to, door->listen.port));
    buf_free(&where);
}

static void
check_ops(struct checkup *c, const struct conf_door *door)
{
    struct address to = reachable(&door->listen.address);
    int fd = knock_connect(&to, door->listen.port);

    checkup_say(c, fd < 0, "ops", "the ops door: %s",
                fd < 0 ? strerror(errno)
                       : "answers the workload, too: load the rules as they are now");
    if (fd >= 0)
        close(fd);
}

static void
check_doors(struct checkup *c, const struct conf *conf, enum steering mode)
{
    const struct conf_door *doors = conf->doors.at;

    for (size_t i = 0; i < conf->doors.n; i++) {
        if (doors[i].kind == DOOR_FORWARD && doors[i].listen.port != 0)
            check_forward(c, &doors[i]);
        if (doors[i].kind == DOOR_UNIX)
            check_way_out(c, "unix", doors[i].path, knock_connect_unix(doors[i].path));
        if (doors[i].kind == DOOR_OPS && doors[i].listen.port != 0)
            check_ops(c, &doors[i]);
    }
    if (mode == STEER_REDIRECT) {
        bool turned = bypass_is_turned();

        checkup_say(c, turned, "turned", "the transparent door: %s",
                    turned ? "Holdfast answers in place of others"
                           : "nothing is turned round to it: is Holdfast running, and "
                             "are rules of --mode redirect loaded?");
    }
}

static int
check_here(const struct conf *conf, enum steering mode, bool json)
{
    struct checkup c;

    checkup_begin(&c, json);
    bypass_try_all(&c);
    check_doors(&c, conf, mode);
    if (!json)
        buf_printf(&c.out, "as uid %u%s\n", (unsigned)geteuid(),
                   c.n_failed == 0 ? ": nothing leads past Holdfast" : "");
    return checkup_end(&c);
}

/* ---- as the workload */

static int
wait_for(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return EXIT_RUNTIME;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_RUNTIME;
}

static int
check_as(const struct conf *conf, enum steering mode, const struct steer_wish *wish)
{
    struct person workload;
    int code = person_find(conf, NULL, wish->uid, &workload);
    pid_t child;

    if (code != EXIT_OK)
        return EXIT_RUNTIME; /* told */
    child = fork();
    if (child == 0) {
        code = person_become(&workload) ? check_here(conf, mode, wish->json)
                                        : EXIT_RUNTIME;
        fflush(stdout);
        _exit(code);
    }
    person_clear(&workload);
    if (child < 0)
        return ctl_complain(false, EXIT_RUNTIME, "fork: %s", strerror(errno));
    return wait_for(child);
}

int
steer_check(const struct conf *conf, enum steering mode, const struct steer_wish *wish)
{
    struct buf ignored = { 0 };
    struct identity own;
    bool is_own = conf->user != NULL &&
                  identity_find(conf, &own, &ignored) == REASON_OK &&
                  own.uid == geteuid();

    buf_free(&ignored);
    if (geteuid() == 0)
        return check_as(conf, mode, wish);
    if (is_own)
        return ctl_complain(
            false, EXIT_RUNTIME,
            "this is uid %u, Holdfast's own, which is exempt: run it as "
            "the workload, or as root",
            (unsigned)geteuid());
    return check_here(conf, mode, wish->json);
}
