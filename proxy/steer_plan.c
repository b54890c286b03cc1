/* From the config to what the rules are about: whose uid is exempt, and which doors the
 * packets are turned to. */
#include "proxy/privilege.h"
#include "proxy/steer.h"

#include <string.h>
#include <sys/socket.h>

static const char *const modes[] = {
    [STEER_EXPLICIT] = "explicit", [STEER_DROP] = "drop", [STEER_REDIRECT] = "redirect"
};

const char *
steer_mode_word(enum steering mode)
{
    return modes[mode];
}

bool
steer_mode_read(const char *word, enum steering *mode)
{
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(modes[i], word) == 0) {
            *mode = (enum steering)i;
            return true;
        }
    return false;
}

enum steering
steer_mode_of(const struct conf *conf)
{
    return conf_has_door(conf, DOOR_TRANSPARENT) ? STEER_REDIRECT : STEER_DROP;
}

/* ---- who is exempt */

static bool
find_uid(const struct conf *conf, const char *user, struct steer_plan *plan,
         struct buf *report)
{
    struct conf named = *conf;
    struct identity own;

    if (conf->user != NULL && user != NULL && strcmp(conf->user, user) != 0)
        buf_printf(report, "%s: user: the config says \"%s\": leave --user away\n",
                   conf->path, conf->user);
    if (conf->user == NULL)
        named.user = user;
    if (named.user == NULL) {
        buf_printf(report,
                   "%s: user: is missing: write the user that Holdfast runs as, or say "
                   "it with --user\n",
                   conf->path);
        return false;
    }
    if (identity_find(&named, &own, report) != REASON_OK)
        return false;
    plan->uid = own.uid;
    if (own.uid == 0)
        buf_printf(report, "%s: user: root cannot be told from a workload's root\n",
                   conf->path);
    return identity_fears_nobody(conf, own.uid, report) && own.uid != 0;
}

/* ---- the doors */

static void
take_door(const struct conf_door *door, struct steer_door *of_family,
          struct buf *report)
{
    struct steer_door *d =
        &of_family[door->listen.address.family == AF_INET6 ? STEER_V6 : STEER_V4];

    if (d->port != 0)
        return; /* the first one of its family */
    if (door->listen.port == 0)
        buf_printf(report,
                   "%s:%u: doors.listen: the kernel would pick the port of this door, "
                   "and the rules must know it: write one\n",
                   door->place.file, door->place.line);
    d->address = door->listen.address;
    d->port = door->listen.port;
    d->is_tproxy = door->intercept == INTERCEPT_TPROXY;
}

static void
take_doors(const struct conf *conf, struct steer_plan *plan, struct buf *report)
{
    const struct conf_door *doors = conf->doors.at;

    for (size_t i = 0; i < conf->doors.n; i++)
        if (doors[i].kind == DOOR_TRANSPARENT && plan->mode == STEER_REDIRECT)
            take_door(&doors[i], plan->tcp, report);
        else if (doors[i].kind == DOOR_DNS)
            take_door(&doors[i], plan->names, report);
}

static bool
leads_nowhere(const struct steer_plan *plan)
{
    if (plan->mode == STEER_REDIRECT)
        return !conf_has_door(plan->conf, DOOR_TRANSPARENT);
    return !conf_has_door(plan->conf, DOOR_FORWARD) &&
           !conf_has_door(plan->conf, DOOR_UNIX);
}

bool
steer_plan_make(const struct conf *conf, enum steering mode, const char *user,
                struct steer_plan *out, struct buf *report)
{
    size_t before = buf_length(report);

    *out = (struct steer_plan){ .mode = mode, .conf = conf };
    if (mode == STEER_EXPLICIT)
        return true;
    if (!find_uid(conf, user, out, report))
        return false;
    take_doors(conf, out, report);
    if (leads_nowhere(out))
        buf_printf(report, "%s: doors: nothing could leave: %s\n", conf->path,
                   mode == STEER_REDIRECT
                       ? "write one of kind = \"transparent\", or --mode drop"
                       : "write one of kind = \"forward\" or \"unix\"");
    return buf_length(report) == before;
}
