/* assayd: reads a home folder and runs the role it finds there, in the foreground, until SIGTERM or SIGINT. */
#ifndef ASSAY_NODE_DAEMON_H
#define ASSAY_NODE_DAEMON_H

/* The process's exit status (node/host/exit_status.h); what went wrong has been logged. */
int daemon_run(const char *path);

#endif
