"""The rules for our own code: every warning an error, every hardening flag on. Third-party code is built as it is."""

_WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wshadow",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wvla",
    "-Wundef",
    "-Wcast-qual",
    "-Wformat=2",
    "-Wimplicit-fallthrough",
    "-Wswitch-enum",
    "-Werror",
]

_HARDENING = [
    "-fstack-protector-strong",
    "-fstack-clash-protection",
    "-fcf-protection=full",
    "-ftrivial-auto-var-init=pattern",
    "-fvisibility=hidden",
]

COPTS = ["-std=c17", "-D_GNU_SOURCE"] + _WARNINGS + _HARDENING + select({
    # The sanitizers see what _FORTIFY_SOURCE would hide from them.
    "//tools/build:sanitize": ["-U_FORTIFY_SOURCE", "-DSANITIZER"],
    "//conditions:default": ["-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3"],
})

# bfd: gold, which Bazel prefers where it is installed, does not know separate-code.
LINKOPTS = ["-fuse-ld=bfd", "-Wl,-z,relro,-z,now", "-Wl,-z,noexecstack", "-Wl,-z,separate-code", "-Wl,--as-needed"]

def kw_library(name, copts = [], **kwargs):
    native.cc_library(
        name = name,
        copts = COPTS + copts,
        linkstatic = True,
        **kwargs
    )

def kw_binary(name, copts = [], linkopts = [], **kwargs):
    native.cc_binary(
        name = name,
        copts = COPTS + copts,
        linkopts = LINKOPTS + linkopts,
        linkstatic = True,
        **kwargs
    )

def kw_test(name, srcs, copts = [], deps = [], tags = [], size = "small", **kwargs):
    """A Criterion test. Criterion's macros need a little room under -Wpedantic.

    Criterion collects the tests from a linker section that nothing refers to, which --gc-sections would drop. It names
    its socket in /tmp after the process id, which two of Bazel's sandboxes may share; there root could not become
    another user either. So these tests run outside of Bazel's sandbox.
    """
    native.cc_test(
        name = name,
        size = size,
        srcs = srcs + ["//tests/unit:main.c"],
        tags = tags + ["no-sandbox"],
        copts = COPTS + ["-Wno-pedantic", "-Wno-missing-prototypes"] + copts,
        linkopts = LINKOPTS + ["-Wl,--no-gc-sections"],
        linkstatic = True,
        deps = deps + ["//tests/unit:skip", "//third_party/debian:criterion"],
        **kwargs
    )

def kw_fuzz(name, srcs, corpus, copts = [], linkopts = [], deps = [], **kwargs):
    """A decoder's fuzz target: LLVMFuzzerTestOneInput in srcs, corpus a list of files.

    Under --config=fuzz, NAME is a libFuzzer program. In every build NAME_replay is a test that feeds it the corpus,
    byte by byte truncated and whole, so that what a fuzzer once found stays found.
    """
    native.cc_binary(
        name = name,
        srcs = srcs,
        copts = COPTS + ["-Wno-missing-prototypes"] + copts,
        linkopts = LINKOPTS + linkopts + ["-fsanitize=fuzzer"],
        linkstatic = True,
        testonly = True,
        tags = ["manual"],
        deps = deps,
        **kwargs
    )
    native.cc_test(
        name = name + "_replay",
        size = "small",
        srcs = srcs + ["//tests/fuzz:replay.c"],
        copts = COPTS + ["-Wno-missing-prototypes"] + copts,
        linkopts = LINKOPTS + linkopts,
        linkstatic = True,
        data = corpus,
        args = ["$(rootpath {})".format(f) for f in corpus],
        deps = deps,
        **kwargs
    )
