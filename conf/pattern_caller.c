#include "conf/pattern_caller.h"

#include "conf/pattern.h"

#include <string.h>
#include <sys/un.h>

#define HEX "0123456789abcdef"

enum { DOOR_NAME_MAX = 63, CGROUP_MAX = 1024, CONTAINER_DIGITS = 64 };

const char *
pattern_door_error(const char *z)
{
    size_t n = strlen(z);

    if (n > DOOR_NAME_MAX || n != strspn(z, "abcdefghijklmnopqrstuvwxyz0123456789-"))
        return "a door's name is made of at most 63 lower-case letters, digits and '-'";
    return NULL;
}

const char *
pattern_socket_error(const char *z)
{
    if (strlen(z) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return "is longer than a socket's address can be: write one of at most 107 "
               "bytes";
    return pattern_file_error(z);
}

/* To connect is to write. */
const char *
pattern_mode_error(const char *z)
{
    if (strlen(z) == 4 && z[0] == '0' && strspn(z + 1, "0246") == 3 && z[1] == '6')
        return NULL;
    return "is no mode of a socket: write \"0660\" for its group, \"0600\" or \"0666\"";
}

const char *
pattern_cgroup_error(const char *z)
{
    if (strlen(z) > CGROUP_MAX)
        return "a control group's path has at most 1,024 bytes here";
    if (strcmp(z, "/") == 0)
        return "is the root, in which everybody is: write the group itself";
    return pattern_file_error(z);
}

const char *
pattern_container_error(const char *z)
{
    if (strlen(z) == CONTAINER_DIGITS && strspn(z, HEX) == CONTAINER_DIGITS)
        return NULL;
    return "is no container's id: write all its 64 hexadecimal digits, as the runtime "
           "prints them untruncated";
}

const char *
pattern_pod_error(const char *z)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    size_t i = 0;

    while (z[i] != '\0' && i < sizeof shape - 1 &&
           (shape[i] == '-' ? z[i] == '-' : strchr(HEX, z[i]) != NULL))
        i++;
    if (z[i] == '\0' && i == sizeof shape - 1)
        return NULL;
    return "is no pod's uid: write its metadata.uid, "
           "\"7d9c1a52-0f3e-4b1d-8f43-6f2d1f0b9c11\"";
}
