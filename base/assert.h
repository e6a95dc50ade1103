/* ASSERT stays on in release builds. It is for programmers' errors alone: whatever comes from the network,
 * the disk or a user is an error value. */
#ifndef ASSAY_BASE_ASSERT_H
#define ASSAY_BASE_ASSERT_H

_Noreturn void assert_failed(const char *condition, const char *file, int line);

#define ASSERT(condition) ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__))

#endif
