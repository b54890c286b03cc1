/* What a command that is not trusted may not do to the terminal it is run on: put bytes
 * into its input (TIOCSTI, TIOCLINUX), which whoever else reads there, root's shell,
 * would take for typed. A kernel may still allow that; whoever calls this is refused
 * it, and so is all that it becomes and starts. */
#ifndef PROXY_TERMINAL_H
#define PROXY_TERMINAL_H

#include <stdbool.h>

/* Of this process, as root. True as well where there is no terminal to protect; errno
 * when it is false. */
bool terminal_protect(void);

#endif
