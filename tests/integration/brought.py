"""What an operator brings, from //tests/keys, in files of whoever starts the system."""

import os
import shutil

from keyward import SystemCase, is_root, runfile


class BroughtCase(SystemCase):
    uid = None

    def bring(self, name, mode):
        """A copy of one of the made files that belongs to whoever starts the system."""
        directory = os.path.join(self.base, f"brought-{self.uid}")
        os.makedirs(directory, exist_ok=True)
        os.chmod(directory, 0o755)
        path = os.path.join(directory, name)
        if os.path.exists(path):
            os.unlink(path)
        shutil.copy(runfile("tests/keys/" + name), path)
        os.chmod(path, mode)
        if is_root() and self.uid is not None:
            os.chown(path, self.uid, -1)
        return path

    def server(self, kind, key=None):
        return ("--server-certificate", self.bring(kind if "." in kind else kind + ".server.pem", 0o644),
                "--server-key", self.bring(key or kind + ".key", 0o600))

    def client(self, kind):
        return ("--client-certificate", self.bring(kind + ".client.pem", 0o644),
                "--client-key", self.bring(kind + ".key", 0o600))
