/* Criterion's own main, but a program without a single test fails: Criterion finds its tests in a linker section, and a
 * build that loses the section would otherwise pass in silence. */
#include <criterion/criterion.h>
#include <stdio.h>

#ifdef SANITIZER
/* The leak checker looks for this function, and takes its word over base/sandbox_sanitizer.c's: here only children put a
 * sandbox on. Criterion asks how a test's process was ended by a signal, but not for its exit code: without
 * abort_on_error a leak would be printed and the test pass. */
__attribute__((visibility("default"))) const char *__lsan_default_options(void);

const char *__lsan_default_options(void)
{
    return "detect_leaks=1:abort_on_error=1";
}
#endif

/* Criterion runs each test in a new copy of the program, whose main it finds among the dynamic symbols. */
__attribute__((visibility("default"))) int main(int argc, char *argv[])
{
    struct criterion_test_set *tests = criterion_initialize();
    int result = 0;
    if (tests->tests == 0) {
        fprintf(stderr, "no test was found in this program\n");
        result = 1;
    } else if (criterion_handle_args(argc, argv, true)) {
        result = criterion_run_all_tests(tests) ? 0 : 1;
    }
    criterion_finalize(tests);
    return result;
}
