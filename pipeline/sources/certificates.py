"""Certificates of cameras: how they are verified, and why one is not trusted.

FFmpeg says no more than that a connection failed. So a connection that failed is tried once more
by Python, which knows the reason.
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from pipeline.errors import SourceUntrusted
from pipeline.sources.address import Place
from pipeline.sources.options import SourceOptions


def tls_options(camera: str, options: SourceOptions) -> dict[str, str]:
    """FFmpeg's options for encrypted connections.

    Raises:
        SourceUntrusted: the file of certificates cannot be read, or holds none.
    """
    if not options.verify_tls:
        return {"tls_verify": "0"}
    trusted_context(camera, options)
    # The TLS library that comes with PyAV does not know where this system keeps its own.
    file = options.tls_ca or ssl.get_default_verify_paths().cafile
    return {"tls_verify": "1"} | ({} if file is None else {"ca_file": str(file)})


def trusted_context(camera: str, options: SourceOptions) -> ssl.SSLContext:
    """As `tls_options`, for Python."""
    if not options.verify_tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # an old camera that FFmpeg can talk to must not fail here
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        return context
    file = options.tls_ca
    if file is None and ssl.get_default_verify_paths().cafile is None:
        # Python can do with a folder of them, which FFmpeg cannot be told of
        raise SourceUntrusted(
            f"Camera {camera}: this machine has no file of the certificates that it trusts; "
            "name the file of certificates in tls_ca."
        )
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ValueError) as error:
        raise _no_certificates(camera, file, error) from None


def _no_certificates(
    camera: str, file: Path | None, error: OSError | ValueError
) -> SourceUntrusted:
    if isinstance(error, ssl.SSLError) or not isinstance(error, OSError):
        why = "holds no certificate; it must be a PEM file"
    else:
        why = f"cannot be read ({(error.strerror or 'no reason given').lower()})"
    return SourceUntrusted(f"Camera {camera}: the file {file} of its key tls_ca {why}.")


def distrust(camera: str, place: Place, options: SourceOptions, timeout_s: float) -> str | None:
    """Why the certificate at `place` is not trusted, in OpenSSL's words; None where it is, or where
    nothing can be learnt of it within `timeout_s`."""
    context = trusted_context(camera, options)
    try:
        with (
            socket.create_connection((place.host, place.port), timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=place.host),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except (OSError, ValueError):
        return None
