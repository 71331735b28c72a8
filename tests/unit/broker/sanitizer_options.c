/* FOR SANITIZER BUILDS ONLY, of programs that the spawner starts: its filter refuses the ptrace that looking for leaks
 * takes, and the spawner's test counts signal handlers, of which the runtime would have some. The runtime looks for this
 * function. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0";
}
