/* assay bench query, assay bench blob: how many answers a second a node gives, and what one costs it.
 *
 * Closed loop: every worker has one request under way, on a connection of its own that is kept. Queries are told beside
 * a constant that the same server answers (/livez), which is what HTTP itself costs here.
 */
#include "node/cli/bench.h"

#include "base/clock.h"
#include "node/cli/args.h"
#include "node/cli/names.h"
#include "node/cli/txcmd.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS_MAX 256
#define SAMPLES_MAX 4000000
#define ANSWER_MAX ((size_t)1 << 30)
#define PATH_MAX_LEN 512

double bench_cpu_seconds(const char *url, const char *ca_file) {
    static const char name[] = "\nprocess_cpu_seconds_total ";
    struct client *client = NULL;
    struct buffer text = BUFFER_INIT;
    const struct client_config config = {.url = url, .http.ca_file = ca_file, .timeout_ms = 5000};
    double seconds = -1;
    if (client_new(&config, &client) == OK &&
        client_get_bytes(client, "/metrics", "text/plain", 1 << 20, &text) == OK) {
        const char *at = buffer_text(&text) != NULL ? strstr(buffer_text(&text), name) : NULL;
        seconds = at != NULL ? strtod(at + sizeof name - 1, NULL) : -1;
    }
    client_free(client);
    buffer_free(&text);
    return seconds;
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

double bench_percentile_ms(uint32_t *samples, size_t count, unsigned percent) {
    if (count == 0) {
        return 0;
    }
    qsort(samples, count, sizeof samples[0], by_value);
    size_t at = (count - 1) * percent / 100;
    return (double)samples[at] / 1000.0;
}

/* ---- One path, asked for again and again ------------------------------------------------------------------------- */

struct asking {
    const char *url, *ca_file, *accept;
    const char *path;
    uint64_t end_ns;
    uint64_t taken;  /* atomic: places in `took_us` given out */
    uint64_t failed; /* atomic */
    uint64_t bytes;  /* atomic */
    uint32_t *took_us;
};

static void ask(struct asking *a, struct client *client, struct buffer *answer) {
    uint64_t start_ns = clock_mono_ns();
    buffer_reset(answer);
    if (client_get_bytes(client, a->path, a->accept, ANSWER_MAX, answer) != OK) {
        (void)__atomic_add_fetch(&a->failed, 1, __ATOMIC_RELAXED);
        return;
    }
    uint64_t place = __atomic_fetch_add(&a->taken, 1, __ATOMIC_RELAXED);
    (void)__atomic_add_fetch(&a->bytes, answer->len, __ATOMIC_RELAXED);
    if (place < SAMPLES_MAX) {
        a->took_us[place] = (uint32_t)((clock_mono_ns() - start_ns) / 1000);
    }
}

static void *work(void *ctx) {
    struct asking *a = ctx;
    struct client *client = NULL;
    struct buffer answer = BUFFER_INIT;
    const struct client_config config = {.url = a->url, .http.ca_file = a->ca_file};
    if (client_new(&config, &client) == OK) {
        while (clock_mono_ns() < a->end_ns && __atomic_load_n(&a->failed, __ATOMIC_RELAXED) < 100) {
            ask(a, client, &answer);
        }
    }
    buffer_free(&answer);
    client_free(client);
    return NULL;
}

/* {"path", "requests", "failed", "per_s", "p50_ms", "p99_ms", "mb_per_s", "node_cpu_us"}; NULL: no memory or threads.
 */
static json_t *measure(const struct txcmd_options *o, const char *url, const char *accept, const char *path,
                       double seconds, size_t workers) {
    pthread_t threads[WORKERS_MAX];
    size_t started = 0;
    struct asking a = {.url = url,
                       .ca_file = o->ca_file,
                       .accept = accept,
                       .path = path,
                       .took_us = calloc(SAMPLES_MAX, sizeof(uint32_t))};
    if (a.took_us == NULL) {
        return NULL;
    }
    double cpu = bench_cpu_seconds(url, o->ca_file);
    uint64_t begin_ns = clock_mono_ns();
    a.end_ns = begin_ns + (uint64_t)(seconds * 1e9);
    while (started < workers && pthread_create(&threads[started], NULL, work, &a) == 0) {
        started++;
    }
    for (size_t i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    double took = (double)(clock_mono_ns() - begin_ns) / 1e9;
    cpu = bench_cpu_seconds(url, o->ca_file) - cpu;
    size_t count = a.taken < SAMPLES_MAX ? a.taken : SAMPLES_MAX;
    json_t *out = json_pack("{s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f}", "path", path, "requests", (json_int_t)a.taken,
                            "failed", (json_int_t)a.failed, "per_s", (double)a.taken / took, "p50_ms",
                            bench_percentile_ms(a.took_us, count, 50), "p99_ms",
                            bench_percentile_ms(a.took_us, count, 99), "mb_per_s", (double)a.bytes / took / 1e6,
                            "node_cpu_us", a.taken > 0 ? cpu * 1e6 / (double)a.taken : 0.0);
    free(a.took_us);
    return out;
}

static void print_line(const char *name, const json_t *m, double ratio) {
    printf("%-12s %9.0f /s   p50 %7.3f ms   p99 %7.3f ms   %8.1f us of the node's processor   %lld failed", name,
           json_real_value(json_object_get(m, "per_s")), json_real_value(json_object_get(m, "p50_ms")),
           json_real_value(json_object_get(m, "p99_ms")), json_real_value(json_object_get(m, "node_cpu_us")),
           (long long)json_integer_value(json_object_get(m, "failed")));
    printf(ratio > 0 ? "   %.2f of constant\n" : "\n", ratio);
}

/* ---- Queries ----------------------------------------------------------------------------------------------------- */

struct query {
    const char *name;
    char path[PATH_MAX_LEN];
};

static bool write_path(struct query *query, const char *class, const char *more) {
    struct buffer b = BUFFER_INIT;
    buffer_put(&b, "/v1/releases/latest", 19);
    names_class_query(class, &b);
    buffer_put(&b, more, strlen(more) + 1);
    bool fits = buffer_ok(&b) == OK && b.len <= sizeof query->path;
    if (fits) {
        memcpy(query->path, b.data, b.len);
    }
    buffer_free(&b);
    return fits;
}

static int ask_all(const struct txcmd_options *o, const char *url, const struct query *queries, size_t count,
                   double seconds, size_t workers) {
    json_t *report = json_object();
    double constant = 0;
    int status = 0;
    for (size_t i = 0; i < count && status == 0; i++) {
        json_t *m = measure(o, url, NULL, queries[i].path, seconds / (double)count, workers);
        if (m == NULL || json_integer_value(json_object_get(m, "requests")) == 0) {
            status = args_fail("%s: no answer; see `assay status`", queries[i].path);
            json_decref(m);
            break;
        }
        double per_s = json_real_value(json_object_get(m, "per_s"));
        constant = i == 0 ? per_s : constant;
        (void)json_object_set_new(m, "of_constant", json_real(per_s / constant));
        if (!o->json) {
            print_line(queries[i].name, m, i == 0 ? 0 : per_s / constant);
        }
        (void)json_object_set_new(report, queries[i].name, m);
    }
    if (status == 0 && o->json) {
        return args_print_json(report);
    }
    json_decref(report);
    return status;
}

int bench_query(int argc, char **argv) {
    struct txcmd_options o = {0};
    const char *class = "acme.example/thermostat";
    uint64_t seconds = 12, workers = 8;
    const struct args_option options[] = {
        CLIENT_OPTIONS(o),
        {"class", ARGS_TEXT, &class, "CLASS", "class whose latest release is asked for", 0, 0},
        {"seconds", ARGS_NUMBER, &seconds, "N", "how long in all (default 12)", 1, 3600},
        {"workers", ARGS_NUMBER, &workers, "N", "requests under way at once (default 8)", 1, WORKERS_MAX},
        {0},
    };
    const struct args_spec spec = {
        "bench query [PATH] [options]",
        "Asks for the latest release, without and with its proof (or for PATH), and tells the "
        "rate beside that of a constant of the same server.",
        options, 0, 1};
    struct args_operands operands;
    struct client *client = NULL;
    int status = txcmd_start(&spec, argc, argv, &o, &operands, &client);
    if (status != ARGS_GO_ON) {
        return status;
    }
    struct query queries[3] = {{.name = "constant", .path = "/livez"}, {.name = "getter"}, {.name = "proof"}};
    size_t count = 3;
    bool fits = write_path(&queries[1], class, "") && write_path(&queries[2], class, "&proof=1");
    if (operands.count == 1) {
        queries[1].name = "path";
        count = 2;
        fits = strlen(operands.item[0]) < sizeof queries[1].path;
        (void)snprintf(queries[1].path, sizeof queries[1].path, "%s", operands.item[0]);
    }
    status = fits ? ask_all(&o, client_url(client), queries, count, (double)seconds, workers)
                  : args_fail("the path is too long");
    client_free(client);
    return status;
}

/* ---- Images ------------------------------------------------------------------------------------------------------ */

int bench_blob(int argc, char **argv) {
    struct txcmd_options o = {0};
    uint64_t seconds = 10, workers = 2;
    const struct args_option options[] = {
        CLIENT_OPTIONS(o),
        {"seconds", ARGS_NUMBER, &seconds, "N", "how long (default 10)", 1, 3600},
        {"workers", ARGS_NUMBER, &workers, "N", "downloads under way at once (default 2)", 1, WORKERS_MAX},
        {0},
    };
    const struct args_spec spec = {"bench blob CID [options]",
                                   "Downloads one image again and again, and tells how fast.", options, 1, 1};
    struct args_operands operands;
    struct client *client = NULL;
    char path[PATH_MAX_LEN];
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON) {
        int n = snprintf(path, sizeof path, "/ipfs/%s", operands.item[0]);
        status = n > 0 && (size_t)n < sizeof path ? txcmd_client(&o, &client) : args_fail("no such CID");
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    json_t *m = measure(&o, client_url(client), NULL, path, (double)seconds, workers);
    client_free(client);
    if (m == NULL || json_integer_value(json_object_get(m, "requests")) == 0) {
        json_decref(m);
        return args_fail("%s: nothing came; is the image on that node?", path);
    }
    if (o.json) {
        return args_print_json(m);
    }
    print_line("image", m, 0);
    printf("%.1f MB/s\n", json_real_value(json_object_get(m, "mb_per_s")));
    json_decref(m);
    return 0;
}
