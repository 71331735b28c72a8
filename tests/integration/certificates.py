"""A public key infrastructure for tests, made with the openssl command line in a temporary directory."""

import os
import subprocess

EXTENSIONS = """
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid
subjectAltName = DNS:localhost, IP:127.0.0.1
[elsewhere]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid
subjectAltName = DNS:elsewhere.example, IP:192.0.2.1
[responder]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = OCSPSigning
[staple]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
tlsfeature = status_request
[issuing]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = anything
unique_subject = no
[anything]
commonName = supplied
"""


EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]


def openssl(*arguments, cwd=None):
    done = subprocess.run(["openssl", *arguments], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"openssl {' '.join(arguments)}: {done.stdout}")
    return done.stdout


class Authority:
    """A certification authority. Its files are in directory: ca.pem, and NAME.pem and NAME.key for each leaf."""

    def __init__(self, directory, common_name):
        os.makedirs(directory)
        self.directory = directory
        self.certificate = os.path.join(directory, "ca.pem")
        with open(os.path.join(directory, "openssl.cnf"), "w", encoding="utf-8") as config:
            config.write(EXTENSIONS)
        with open(os.path.join(directory, "index.txt"), "w", encoding="utf-8"):
            pass
        self._request("ca", common_name, EC)
        self._sign("ca", "ca", "20200101000000Z", "20491231235959Z", selfsign=True)

    def leaf(self, name, profile="client", start="20200101000000Z", end="20491231235959Z", curve="P-256", rsa=None):
        """Makes a leaf with its own key, of so many bits if it is RSA, and returns (certificate file, key file)."""
        kind = ["-newkey", f"rsa:{rsa}"] if rsa else [*EC[:-1], f"ec_paramgen_curve:{curve}"]
        self._request(name, f"test {name}", kind)
        self._sign(name, profile, start, end)
        return self._path(name + ".pem"), self._path(name + ".key")

    def server(self, name, names, curve="P-256", rsa=None, end="20491231235959Z"):
        """Makes a server's leaf for names, such as DNS:shop.example. Returns (file with leaf and CA, key file)."""
        with open(self._path(name + ".ext"), "w", encoding="utf-8") as file:
            file.write(EXTENSIONS.partition("[server]")[2].partition("subjectAltName")[0])
            file.write("subjectAltName = " + ", ".join(names) + "\n")
        kind = ["-newkey", f"rsa:{rsa}"] if rsa else [*EC[:-1], f"ec_paramgen_curve:{curve}"]
        self._request(name, f"server {name}", kind)
        self._sign(name, None, "20200101000000Z", end)
        with open(self._path(name + ".chain.pem"), "w", encoding="ascii") as chain:
            for path in (self._path(name + ".pem"), self.certificate):
                with open(path, encoding="ascii") as file:
                    chain.write(file.read())
        return self._path(name + ".chain.pem"), self._path(name + ".key")

    def revoke(self, name, reason="keyCompromise"):
        """Has the leaf in the lists that are made from here on."""
        self._ca("-revoke", name + ".pem", "-crl_reason", reason)

    def crl(self, start="20200101000000Z", end="20491231235959Z", der=False):
        """Makes a list of what is revoked and returns its text, or its bytes."""
        path = self._path("list.crl")
        self._ca("-gencrl", "-crl_lastupdate", start, "-crl_nextupdate", end, "-out", path)
        if der:
            openssl("crl", "-in", path, "-outform", "DER", "-out", path)
            with open(path, "rb") as file:
                return file.read()
        with open(path, encoding="ascii") as file:
            return file.read()

    def ocsp(self, name, *flags, signer="ca"):
        """Makes an OCSP response about the leaf and returns its bytes. flags: of openssl ocsp."""
        openssl("ocsp", "-issuer", "ca.pem", "-cert", name + ".pem", "-no_nonce", "-reqout", "request.der", cwd=self.directory)
        openssl("ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", signer + ".pem", "-rkey", signer + ".key", "-reqin",
                "request.der", "-respout", "response.der", *(flags or ("-ndays", "1")), cwd=self.directory)
        with open(self._path("response.der"), "rb") as file:
            return file.read()

    def _ca(self, *arguments):
        openssl("ca", "-batch", "-config", "openssl.cnf", "-name", "issuing", "-keyfile", "ca.key", "-cert", "ca.pem", *arguments,
                cwd=self.directory)

    def _path(self, file):
        return os.path.join(self.directory, file)

    def _request(self, name, common_name, kind):
        openssl("req", "-new", *kind, "-nodes", "-subj", f"/CN={common_name}", "-keyout", name + ".key", "-out",
                name + ".csr", cwd=self.directory)

    def _sign(self, name, profile, start, end, selfsign=False):
        extensions = ["-extensions", profile] if profile else ["-extfile", name + ".ext"]
        openssl("ca", "-batch", "-config", "openssl.cnf", "-name", "issuing", *extensions, "-notext",
                "-in", name + ".csr", "-out", name + ".pem", "-keyfile", "ca.key", "-startdate", start,
                "-enddate", end, *(["-selfsign"] if selfsign else ["-cert", "ca.pem"]), cwd=self.directory)
