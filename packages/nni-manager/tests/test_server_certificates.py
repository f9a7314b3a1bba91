"""What clients of a manager that listens with TLS verify it by."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from nni_manager.server.arguments import Arguments, parse_arguments
from nni_manager.server.certificates import Verification
from nni_manager.server.problems import StartProblem

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path) -> Make:
    """Makes NAME.pem and NAME.key: a certificate of its own, or by another one; returns its path."""

    def make(name: str, extension: str = "subjectAltName=DNS:nni.test", by: str = "") -> Path:
        command = [
            "openssl",
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-x509",
        ]
        command += ["-subj", f"/CN={name}", "-days", "2", "-out", f"{name}.pem", "-keyout", f"{name}.key"]
        if extension:
            command += ["-addext", extension]
        if by:
            command += ["-CA", f"{by}.pem", "-CAkey", f"{by}.key", "-addext", "basicConstraints=CA:FALSE"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        return tmp_path / f"{name}.pem"

    return make


def arguments(certificate: Path, *more: str) -> Arguments:
    words = ["--experiments-directory", "d", "--tls-certificate", str(certificate)]
    return parse_arguments([*words, "--tls-key", str(certificate.with_suffix(".key")), *more])


def verification(certificate: Path, *more: str, names: tuple[str, ...] = ("127.0.0.1",)) -> Verification:
    found = arguments(certificate, *more)
    result = found.verification(found.tls(), names)
    assert result is not None
    return result


def test_a_certificate_of_its_own_is_what_to_trust(make: Make) -> None:
    certificate = make("self")
    assert verification(certificate) == Verification(certificate.read_text(), "nni.test")


def test_no_key_is_passed_on(make: Make) -> None:
    certificate = make("self")
    both = certificate.with_name("both.pem")
    both.write_text(f"a note\n{certificate.with_suffix('.key').read_text()}{certificate.read_text()}")
    both.with_suffix(".key").write_text(both.read_text())
    found = verification(both)
    assert found.certificates == certificate.read_text() and "PRIVATE" not in found.certificates


def test_a_chain_without_its_root_is_enough(make: Make) -> None:
    root = make("root", "basicConstraints=CA:TRUE")
    leaf = make("leaf", by="root")
    assert verification(leaf) == Verification(leaf.read_text(), "nni.test")
    assert verification(leaf, "--tls-ca", str(root)).certificates == root.read_text()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("IP:127.0.0.1,DNS:nni.test", "127.0.0.1"),
        ("DNS:other.test,DNS:nni.test", "nni.test"),
        ("DNS:*.lab.test", "nni.lab.test"),
        ("DNS:elsewhere.example", "elsewhere.example"),
        ("DNS:*.lab.example", "nni.lab.example"),
        ("IP:10.0.0.7", "10.0.0.7"),
    ],
)
def test_the_name_is_one_of_the_certificate(make: Make, names: str, expected: str) -> None:
    certificate = make("self", f"subjectAltName={names}")
    assert verification(certificate, names=("127.0.0.1", "nni.test", "nni.lab.test")).name == expected


def test_what_clients_could_not_verify_is_refused(make: Make, tmp_path) -> None:
    make("root", "basicConstraints=CA:TRUE")
    leaf, other = make("leaf", by="root"), make("other")
    with pytest.raises(StartProblem, match=r"cannot verify .* by .*other\.pem: .*issuer"):
        verification(leaf, "--tls-ca", str(other))
    with pytest.raises(StartProblem, match="no subjectAltName"):
        verification(make("nameless", ""))
    with pytest.raises(StartProblem, match=r"leaf\.key does not hold certificates"):
        verification(leaf, "--tls-ca", str(leaf.with_suffix(".key")))
    with pytest.raises(StartProblem, match=r"No such file.*none\.pem"):
        verification(leaf, "--tls-ca", str(tmp_path / "none.pem"))
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    with pytest.raises(StartProblem, match=r"broken\.pem does not hold certificates"):
        verification(leaf, "--tls-ca", str(broken))


def test_certificates_to_trust_without_tls_are_refused() -> None:
    with pytest.raises(StartProblem, match="--tls-ca is set without"):
        parse_arguments(["--experiments-directory", "d", "--tls-ca", "x"]).tls()
