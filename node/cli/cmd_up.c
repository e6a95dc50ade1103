/* assay up, assay down: every node of a test network in the background.
 *
 * `up` waits for each node's readiness as a service manager would: the node sends READY=1 to $NOTIFY_SOCKET
 * (node/host/notify.h). `down` stops by pid file, after a look at the process that it is indeed that node.
 */
#include "node/cli/args.h"
#include "node/cli/commands.h"

#include "base/clock.h"
#include "base/ed25519.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NODES_MAX 160
#define READY_MS 20000
#define STOP_MS 10000
#define CMDLINE_MAX (PATH_MAX + 256)

struct started {
    char home[PATH_MAX];
    const char *name; /* last part of home */
    pid_t pid;
    int pidfd;
    int notify; /* where its READY=1 arrives */
    char notify_name[64];
    bool ready;
};

struct nodes {
    struct started node[NODES_MAX];
    size_t count;
};

/* ---- Which nodes there are ---- */

static int by_name(const void *a, const void *b) {
    return strverscmp(((const struct started *)a)->home, ((const struct started *)b)->home);
}

static int find_nodes(const char *dir, struct nodes *out) {
    char top[PATH_MAX];
    DIR *folder = realpath(dir, top) != NULL ? opendir(top) : NULL;
    if (folder == NULL) {
        return args_fail("%s: %s; 'assay testnet --dir %s' lays one out", dir, strerror(errno), dir);
    }
    for (const struct dirent *entry = readdir(folder); entry != NULL && out->count < NODES_MAX;
         entry = readdir(folder)) {
        struct started *node = &out->node[out->count];
        char config[PATH_MAX];
        int n = snprintf(config, sizeof config, "%s/%s/assay.conf", top, entry->d_name);
        if (entry->d_name[0] == '.' || n < 0 || (size_t)n >= sizeof config || access(config, R_OK) != 0) {
            continue;
        }
        *node = (struct started){.pidfd = -1, .notify = -1};
        (void)snprintf(node->home, sizeof node->home, "%.*s", (int)(n - (int)sizeof "/assay.conf" + 1), config);
        out->count++;
    }
    (void)closedir(folder);
    qsort(out->node, out->count, sizeof out->node[0], by_name);
    for (size_t i = 0; i < out->count; i++) {
        out->node[i].name = strrchr(out->node[i].home, '/') + 1;
    }
    return out->count > 0 ? ARGS_GO_ON : args_fail("%s holds no node's home; 'assay testnet' lays them out", dir);
}

static bool path_in(const struct started *node, const char *name, char out[PATH_MAX]) {
    int n = snprintf(out, PATH_MAX, "%s/%s", node->home, name);
    return n > 0 && n < PATH_MAX;
}

/* Is the process an assayd with this home? */
static bool is_this_node(const struct started *node, pid_t pid) {
    char path[64];
    struct buffer text = BUFFER_INIT;
    (void)snprintf(path, sizeof path, "/proc/%ld/cmdline", (long)pid);
    bool same = false;
    if (file_read(path, CMDLINE_MAX, &text) == OK && text.len > 0) {
        text.data[text.len - 1] = '\0';
        const char *program = (const char *)text.data;
        const char *slash = strrchr(program, '/');
        bool is_assayd = strcmp(slash != NULL ? slash + 1 : program, "assayd") == 0;
        for (size_t at = 0; at < text.len; at += strlen((char *)text.data + at) + 1) {
            same |= is_assayd && strcmp((char *)text.data + at, node->home) == 0;
        }
    }
    buffer_free(&text);
    return same;
}

/* The pid of its running process, 0 when it does not run. */
static pid_t running_pid(const struct started *node) {
    char path[PATH_MAX];
    struct buffer text = BUFFER_INIT;
    long pid = 0;
    if (path_in(node, "pid", path) && file_read(path, 32, &text) == OK) {
        pid = buffer_text(&text) != NULL ? strtol(buffer_text(&text), NULL, 10) : 0;
    }
    buffer_free(&text);
    return pid > 1 && pid <= INT_MAX && is_this_node(node, (pid_t)pid) ? (pid_t)pid : 0;
}

/* ---- Starting ---- */

static bool find_daemon(char out[PATH_MAX]) {
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 8);
    if (n <= 0) {
        return false;
    }
    out[n] = '\0';
    char *slash = strrchr(out, '/');
    memcpy(slash != NULL ? slash + 1 : out, "assayd", sizeof "assayd");
    return access(out, X_OK) == 0;
}

/* A datagram socket with an unguessable name in the abstract name space. */
static bool open_notify(struct started *node) {
    uint8_t random[12];
    char hex[25];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    random_fill(random, sizeof random);
    hex_encode(random, sizeof random, hex);
    int n = snprintf(node->notify_name, sizeof node->notify_name, "@assay-up-%s", hex);
    memcpy(address.sun_path + 1, node->notify_name + 1, (size_t)n - 1);
    node->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n);
    return node->notify >= 0 && bind(node->notify, (struct sockaddr *)&address, len) == 0;
}

/* In the child: own session, log file, then the daemon. */
static _Noreturn void become_daemon(const char *daemon, const struct started *node, int log) {
    int null = open("/dev/null", O_RDONLY);
    (void)setsid();
    (void)dup2(null, STDIN_FILENO);
    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    (void)signal(SIGPIPE, SIG_DFL);
    if (setenv("NOTIFY_SOCKET", node->notify_name, 1) == 0) {
        (void)execl(daemon, daemon, "--home", node->home, (char *)NULL);
    }
    _exit(127);
}

static int start_node(const char *daemon, struct started *node) {
    char log_path[PATH_MAX];
    char pid_path[PATH_MAX];
    char text[32];
    pid_t already = running_pid(node);
    if (already != 0) {
        return args_fail("%s runs already, pid %ld; 'assay down' stops it", node->name, (long)already);
    }
    if (!path_in(node, "log", log_path) || !path_in(node, "pid", pid_path) || !open_notify(node)) {
        return args_fail("%s: can't be started: %s", node->name, strerror(errno));
    }
    int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log < 0) {
        return args_fail("%s: %s", log_path, strerror(errno));
    }
    (void)fflush(NULL);
    node->pid = fork();
    if (node->pid == 0) {
        become_daemon(daemon, node, log);
    }
    (void)close(log);
    node->pidfd = node->pid > 0 ? pidfd_open(node->pid, 0) : -1;
    if (node->pidfd < 0) {
        return args_fail("%s: can't be started: %s", node->name, strerror(errno));
    }
    int n = snprintf(text, sizeof text, "%ld\n", (long)node->pid);
    enum err e = file_write_atomic(pid_path, bytes_of(text, (size_t)n), 0644);
    return e == OK ? ARGS_GO_ON : args_fail("%s: %s", pid_path, err_text(e));
}

/* The last line of its log, for a person to see why. */
static void last_log_line(const struct started *node, char out[256]) {
    char path[PATH_MAX];
    char tail[1024];
    out[0] = '\0';
    int fd = path_in(node, "log", path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return;
    }
    off_t end = lseek(fd, 0, SEEK_END);
    off_t from = end > (off_t)sizeof tail - 1 ? end - ((off_t)sizeof tail - 1) : 0;
    ssize_t n = pread(fd, tail, sizeof tail - 1, from);
    (void)close(fd);
    while (n > 0 && tail[n - 1] == '\n') {
        n--;
    }
    tail[n > 0 ? n : 0] = '\0';
    const char *line = strrchr(tail, '\n');
    (void)snprintf(out, 256, "%.255s", line != NULL ? line + 1 : tail);
}

static int explain_unready(const struct started *node, const char *why) {
    char line[256];
    last_log_line(node, line);
    return args_fail("%s %s; the end of %s/log: %s", node->name, why, node->home, line[0] != '\0' ? line : "(empty)");
}

/* Takes what arrived; true when it said READY=1. */
static bool read_notify(const struct started *node) {
    char text[512];
    ssize_t n = recv(node->notify, text, sizeof text - 1, 0);
    if (n <= 0) {
        return false;
    }
    text[n] = '\0';
    return strncmp(text, "READY=1", 7) == 0 || strstr(text, "\nREADY=1") != NULL;
}

static int wait_ready(struct started *node, uint64_t until_ms) {
    while (!node->ready) {
        struct pollfd wait[2] = {{.fd = node->notify, .events = POLLIN}, {.fd = node->pidfd, .events = POLLIN}};
        uint64_t now_ms = clock_mono_ms();
        int n = now_ms < until_ms ? poll(wait, 2, (int)(until_ms - now_ms)) : 0;
        if (n == 0) {
            return explain_unready(node, "was not ready within 20 s");
        }
        node->ready = (wait[0].revents & POLLIN) != 0 && read_notify(node);
        if (!node->ready && n > 0 && wait[1].revents != 0) {
            return explain_unready(node, "ended before it was ready");
        }
    }
    return ARGS_GO_ON;
}

/* ---- Stopping ---- */

/* SIGTERM, at most 10 s, SIGKILL. True when it is gone. */
static bool stop_process(pid_t pid, int pidfd, bool *out_killed) {
    struct pollfd gone = {.fd = pidfd, .events = POLLIN};
    (void)pidfd_send_signal(pidfd, SIGTERM, NULL, 0);
    int n = poll(&gone, 1, STOP_MS);
    *out_killed = n == 0;
    if (n == 0) {
        (void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
        n = poll(&gone, 1, STOP_MS);
    }
    (void)waitpid(pid, NULL, WNOHANG);
    return n > 0;
}

static void forget_pid(const struct started *node) {
    char path[PATH_MAX];
    if (path_in(node, "pid", path)) {
        (void)unlink(path);
    }
}

static void take_back(struct nodes *all) {
    for (size_t i = 0; i < all->count; i++) {
        bool killed;
        if (all->node[i].pidfd >= 0 && stop_process(all->node[i].pid, all->node[i].pidfd, &killed)) {
            forget_pid(&all->node[i]);
        }
    }
}

static int stop_node(struct started *node, json_t *stopped) {
    bool killed = false;
    pid_t pid = running_pid(node);
    if (pid == 0) {
        forget_pid(node);
        return ARGS_GO_ON;
    }
    int pidfd = pidfd_open(pid, 0);
    /* The number may have passed to another process between the look and the open. */
    if (pidfd < 0 || !is_this_node(node, pid)) {
        return args_fail("%s: pid %ld: %s", node->name, (long)pid,
                         pidfd < 0 ? strerror(errno) : "not this node any more");
    }
    bool gone = stop_process(pid, pidfd, &killed);
    (void)close(pidfd);
    if (!gone) {
        return args_fail("%s, pid %ld, does not end", node->name, (long)pid);
    }
    forget_pid(node);
    (void)json_array_append_new(stopped,
                                json_pack("{s:s, s:i, s:b}", "node", node->name, "pid", (int)pid, "killed", killed));
    return ARGS_GO_ON;
}

/* ---- The two commands ---- */

static int parse(const char *usage, const char *about, int argc, char **argv, bool *json, struct nodes *out) {
    const char *dir = NULL;
    const struct args_option options[] = {
        {"dir", ARGS_TEXT, &dir, "DIR", "the test network's folder", 0, 0},
        {"json", ARGS_FLAG, json, NULL, "print one JSON document", 0, 0},
        {0},
    };
    const struct args_spec spec = {usage, about, options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    return dir != NULL ? find_nodes(dir, out) : args_wrong("which network? give --dir DIR");
}

static int start_all(const char *daemon, struct nodes *all) {
    uint64_t until_ms = clock_mono_ms() + READY_MS;
    int status = ARGS_GO_ON;
    for (size_t i = 0; i < all->count && status == ARGS_GO_ON; i++) {
        status = start_node(daemon, &all->node[i]);
    }
    for (size_t i = 0; i < all->count && status == ARGS_GO_ON; i++) {
        status = wait_ready(&all->node[i], until_ms);
    }
    return status;
}

int cmd_up(int argc, char **argv) {
    char daemon[PATH_MAX];
    bool json = false;
    struct nodes *all = calloc(1, sizeof *all);
    if (all == NULL) {
        return args_fail("out of memory");
    }
    int status = parse("up --dir DIR", "Starts every node of a test network and waits until all are ready.", argc, argv,
                       &json, all);
    if (status == ARGS_GO_ON && !find_daemon(daemon)) {
        status = args_fail("there is no assayd next to this program; build or install both");
    }
    if (status == ARGS_GO_ON) {
        status = start_all(daemon, all);
        if (status != ARGS_GO_ON) {
            take_back(all);
        }
    }
    if (status == ARGS_GO_ON) {
        json_t *list = json_array();
        for (size_t i = 0; i < all->count; i++) {
            const struct started *node = &all->node[i];
            (void)json_array_append_new(list, json_pack("{s:s, s:i}", "node", node->name, "pid", (int)node->pid));
            if (!json) {
                printf("%s ready, pid %ld\n", node->name, (long)node->pid);
            }
        }
        json_t *answer = json_pack("{s:o}", "nodes", list);
        status = json ? args_print_json(answer) : 0;
        if (!json) {
            json_decref(answer);
        }
    }
    free(all);
    return status;
}

int cmd_down(int argc, char **argv) {
    bool json = false;
    struct nodes *all = calloc(1, sizeof *all);
    if (all == NULL) {
        return args_fail("out of memory");
    }
    int status = parse("down --dir DIR", "Stops every node of a test network.", argc, argv, &json, all);
    if (status == ARGS_GO_ON) {
        json_t *stopped = json_array();
        int worst = 0;
        for (size_t i = 0; i < all->count; i++) {
            worst |= stop_node(&all->node[i], stopped) == ARGS_GO_ON ? 0 : 1;
        }
        if (!json) {
            printf("%zu nodes stopped\n", json_array_size(stopped));
            json_decref(stopped);
        } else {
            worst |= args_print_json(json_pack("{s:o}", "stopped", stopped));
        }
        status = worst;
    }
    free(all);
    return status;
}
