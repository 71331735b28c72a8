"""Tests in Python's unittest. A shell wrapper, as Bazel's own Python rules want a toolchain that nothing else here needs."""

def kw_python_test(name, src, size = "medium", data = [], tags = [], **kwargs):
    """A module of unittest cases, run with tests/integration on its path.

    "local": the processes under test make namespaces and change users, which the build's sandbox would not let them.
    """
    native.sh_test(
        name = name,
        size = size,
        srcs = ["//tests/integration:run.sh"],
        args = ["$(rootpath {})".format(src)],
        data = [src, "//tests/integration:modules"] + data,
        tags = ["local"] + tags,
        **kwargs
    )

PROGRAMS = [
    "//broker",
    "//browser-shim",
    "//browser-shim:module.so",
    "//keyd",
    "//web",
]

def kw_system_test(name, src, data = [], **kwargs):
    """A module of tests that start the whole system."""
    kw_python_test(name = name, src = src, data = data + PROGRAMS, **kwargs)
