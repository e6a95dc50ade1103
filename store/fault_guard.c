#include "store/fault_guard.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

static _Thread_local sigjmp_buf *volatile way_out; /* NULL: this thread is in no guarded call */
static struct sigaction before_segv, before_bus;
static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;

static void on_fault(int number, siginfo_t *info, void *context) {
    (void)info;
    (void)context;
    fault_guard_give_up();
    /* Not ours: the instruction runs again, and who was there before gets to see the fault. */
    (void)sigaction(number, number == SIGBUS ? &before_bus : &before_segv, NULL);
}

static enum err take_signal(int number, struct sigaction *before) {
    /* Not blocked while it is handled: the handler is left by a jump, and a second fault must come through. */
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    struct sigaction now;
    (void)sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &now) != 0) {
        return ERR_UNSUPPORTED;
    }
    if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_fault) {
        return OK;
    }
    *before = now;
    return sigaction(number, &action, NULL) == 0 ? OK : ERR_UNSUPPORTED;
}

enum err fault_guard_start(void) {
    (void)pthread_mutex_lock(&starting);
    enum err e = take_signal(SIGSEGV, &before_segv);
    if (e == OK) {
        e = take_signal(SIGBUS, &before_bus);
    }
    (void)pthread_mutex_unlock(&starting);
    return e;
}

bool fault_guard_run(void (*call)(void *arg), void *arg) {
    sigjmp_buf here;
    sigjmp_buf *const outer = way_out;
    if (sigsetjmp(here, 0) != 0) {
        way_out = outer;
        return false;
    }
    way_out = &here;
    call(arg);
    way_out = outer;
    return true;
}

void fault_guard_give_up(void) {
    if (way_out != NULL) {
        siglongjmp(*way_out, 1);
    }
}
