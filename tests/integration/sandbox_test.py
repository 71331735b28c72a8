"""What every running process is confined by, as the kernel says it and as `broker status` does."""

import os

import processes
from keyward import ROOT, SharedSystemCase, for_each_user, is_root

OURS = ("broker", "keyd", "web", "browser-shim")


@for_each_user
class Confined(SharedSystemCase):
    flags = ("--listen", "127.0.0.1:0", "--browser", "chromium", "--headless", "--workers", "2")

    def ours(self):
        """The system's own processes: {pid: name}, without the browser's."""
        found = {pid: processes.name(pid) for pid in self.system.pids()}
        return {pid: name for pid, name in found.items() if name.startswith(OURS)}

    def test_status_names_every_process(self):
        shown = {process["pid"] for process in self.system.status()["processes"]}
        self.assertLessEqual(shown, set(self.system.pids()))
        for prefix, count in (("broker", 1), ("keyd", 1), ("web", 2), ("browser-shim", 1)):
            self.assertGreaterEqual(len(self.system.processes(prefix)), count, prefix)

    def test_filter_and_no_new_privileges(self):
        ours = self.ours()
        self.assertGreaterEqual(len(ours), 6, ours)
        for pid, name in ours.items():
            for task in os.listdir(f"/proc/{pid}/task"):
                with self.subTest(name, task=task):
                    status = processes.status(f"{pid}/task/{task}")
                    self.assertEqual(status["Seccomp"], "2")
                    self.assertEqual(status["NoNewPrivs"], "1")

    def test_no_capabilities(self):
        for pid, name in self.ours().items():
            if "spawner" in name:
                continue  # it changes users, and is the only one that may
            with self.subTest(name):
                status = processes.status(pid)
                # What is left in a user namespace of its own is worth nothing outside; nothing is left there either.
                for kind in ("CapEff", "CapPrm", "CapAmb"):
                    self.assertEqual(int(status[kind], 16), 0, kind)

    def test_status_says_what_the_kernel_says(self):
        for process in self.system.status()["processes"]:
            with self.subTest(process["name"]):
                status = processes.status(process["pid"])
                self.assertEqual(process["seccomp_mode"], int(status["Seccomp"]))
                self.assertEqual(process["seccomp_mode"], 2)
                self.assertTrue(process["no_new_privs"])
                self.assertEqual(process["uid"], int(status["Uid"].split()[1]))
                self.assertGreater(process["resident_bytes"], 100_000)
                # What starts other programs cannot put on Landlock for them.
                if process["name"].split("[")[0] in OURS:
                    self.assertGreaterEqual(process["landlock_abi"], 2)

    def test_users_differ(self):
        uids = {name: {process["uid"] for process in self.system.processes(name)} for name in OURS}
        if self.uid == ROOT:
            everyone = [uid for of_one in uids.values() for uid in of_one]
            self.assertEqual(len(everyone), len(set(everyone)), uids)
            self.assertNotIn(0, everyone)
        else:
            self.assertEqual(set.union(*uids.values()), {os.geteuid() if self.uid is None else self.uid})

    def test_no_core_files(self):
        if not is_root():
            return self.check_memory_is_closed()
        for pid, name in self.ours().items():
            with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
                [core] = [line for line in limits if line.startswith("Max core file size")]
            self.assertEqual(core.split()[4:6], ["0", "0"], name)

    def check_memory_is_closed(self):
        for pid, name in self.ours().items():
            with self.subTest(name), self.assertRaises(PermissionError):
                processes.descriptors(pid)

    def test_nothing_is_writable_and_executable(self):
        if not is_root():
            return self.check_memory_is_closed()
        for pid, name in self.ours().items():
            with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
                both = [line for line in maps if "w" in line.split()[1] and "x" in line.split()[1]]
            self.assertEqual(both, [], name)

    def test_keyd_has_no_network_and_no_files(self):
        [keyd] = self.system.processes("keyd")
        self.assertIn("net", keyd["namespaces"])
        self.assertIn("mnt", keyd["namespaces"])
        if is_root():
            self.assertEqual(os.listdir(f"/proc/{keyd['pid']}/root"), [])
            with open(f"/proc/{keyd['pid']}/net/dev", encoding="ascii") as devices:
                names = [line.split(":")[0].strip() for line in devices if ":" in line]
            self.assertEqual(names, ["lo"])


if is_root():

    @for_each_user
    class Descriptors(SharedSystemCase):
        """What each process holds open. Only root may look."""

        flags = ("--listen", "127.0.0.1:0", "--browser", "chromium", "--headless", "--workers", "1")

        # Beyond 0 to 2 and sockets: what a process of that name may hold.
        ALLOWED = {
            "keyd": {"anon_inode:[eventpoll]", "anon_inode:[eventfd]"},
            "web": {"anon_inode:[eventpoll]", "anon_inode:[eventfd]"},
            "browser-shim": {"anon_inode:[eventpoll]", "anon_inode:[eventfd]", "anon_inode:[pidfd]", "anon_inode:[signalfd]"},
        }

        def test_only_what_is_expected(self):
            for name, allowed in self.ALLOWED.items():
                for process in self.system.processes(name):
                    with self.subTest(process["name"]):
                        held = processes.descriptors(process["pid"])
                        self.assertEqual(held.pop(0), "/dev/null")
                        held.pop(1), held.pop(2)
                        odd = {what for what in held.values() if not what.startswith("socket:")} - allowed
                        self.assertEqual(odd, set())

        def test_keyds_sockets_are_channels(self):
            keyd = self.system.pid_of("keyd")
            with open("/proc/net/unix", encoding="ascii", errors="replace") as table:
                local = {line.split()[6] for line in table.readlines()[1:]}
            sockets = [what[len("socket:["):-1] for what in processes.descriptors(keyd).values()
                       if what.startswith("socket:")]
            self.assertGreaterEqual(len(sockets), 2)
            for inode in sockets:
                self.assertIn(inode, local, "not an AF_UNIX socket")
