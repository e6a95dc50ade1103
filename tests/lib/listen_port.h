/* A port for a test that gives one up and takes it again: below those that the kernel gives to outgoing connections,
 * and reserved as in tests/e2e/ports.py, by a bound socket with an abstract name. Who only listens once asks for port
 * 0. */
#ifndef ASSAY_TESTS_LIB_LISTEN_PORT_H
#define ASSAY_TESTS_LIB_LISTEN_PORT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_PORT_STEP 10u
#define LISTEN_PORT_LOWEST 10000u

unsigned listen_port_highest(void);

/* 0: none is free. Each process begins elsewhere, so that programs side by side seldom meet. */
uint16_t listen_port(void);

#endif
