/* What ThreadSanitizer can't see of nng, for the programs that use it: included once in each. */
#ifndef ASSAY_TESTS_NNG_THREADS_H
#define ASSAY_TESTS_NNG_THREADS_H

/* nng counts what is left of a dialer with atomics, which ThreadSanitizer does not see inside the library. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void) {
    return "race:pthread_mutex_destroy";
}

#endif
