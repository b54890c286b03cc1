/* The grammar of what tells callers and their doors apart. As pattern.h's: NULL, or
 * what is wrong and what to write. */
#ifndef CONF_PATTERN_CALLER_H
#define CONF_PATTERN_CALLER_H

/* "agent", "build-7": lower-case letters, digits, '-'. */
const char *pattern_door_error(const char *z);
/* From the root, and as long as a socket's address can be. */
const char *pattern_socket_error(const char *z);
/* "0660": who may read and write; whoever owns it may do both. */
const char *pattern_mode_error(const char *z);

/* "/system.slice/agent.service". */
const char *pattern_cgroup_error(const char *z);
/* 64 lower-case hexadecimal digits. */
const char *pattern_container_error(const char *z);
/* "7d9c1a52-0f3e-4b1d-8f43-6f2d1f0b9c11". */
const char *pattern_pod_error(const char *z);

#endif
