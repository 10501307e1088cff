"""PyAV's errors as this package's, each with a sentence for people.

PyAV's own messages hold the whole address with its password. So its errors are turned into
sentences here, and the callers raise those outside of the `except` block: neither the cause nor
the context of what they raise leads back to PyAV's error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline.errors import (
    SourceError,
    SourceNotFound,
    SourceRefused,
    SourceStalled,
    SourceUnreachable,
    SourceUnreadable,
    SourceUntrusted,
)
from pipeline.sources.address import Kind

if TYPE_CHECKING:
    from av import FFmpegError


def opening_failure(
    error: FFmpegError | UnicodeError | ValueError,
    camera: str,
    shown: str,
    kind: Kind,
    timeout_s: float,
    elapsed_s: float,
) -> SourceError:
    """Why a stream could not be opened, by what PyAV said after `elapsed_s` seconds."""
    import av.error as e

    name = f"Camera {camera}"
    if kind is Kind.FILE:
        return _film_failure(error, name, shown)
    if isinstance(error, e.TimeoutError | e.ExitError) or _over(elapsed_s, timeout_s):
        return no_answer(camera, shown, timeout_s)
    if isinstance(error, e.HTTPUnauthorizedError | e.HTTPForbiddenError):
        return refused_account(camera, shown)
    if isinstance(error, e.HTTPNotFoundError):
        return SourceNotFound(f"{name}: there is no {shown}; check the path of the address.")
    if isinstance(error, e.HTTPError | e.HTTPClientError):
        return SourceError(
            f"{name}: {shown} answers with an error; it may have too many viewers, "
            "or wants another address."
        )
    if isinstance(error, e.InvalidDataError | e.LookupError | e.PatchWelcomeError | ValueError):
        return SourceUnreadable(
            f"{name}: what answers at {shown} is not video that can be read; check the address."
        )
    went = e.EOFError | e.BrokenPipeError | e.ConnectionResetError | e.PermissionError
    if isinstance(error, went):
        return hung_up(camera, shown)
    return unreachable(camera, shown, error.strerror)


def hung_up(camera: str, shown: str) -> SourceUnreachable:
    return SourceUnreachable(
        f"Camera {camera}: {shown} hangs up without a picture; is it a camera?"
    )


def unreachable(camera: str, shown: str, why: str | None) -> SourceUnreachable:
    """`why` is what the system says, in a few words."""
    return SourceUnreachable(
        f"Camera {camera}: {shown} cannot be reached ({why or 'no reason given'}); "
        "check the address and the network."
    )


def no_answer(camera: str, shown: str, timeout_s: float) -> SourceUnreachable:
    return SourceUnreachable(
        f"Camera {camera}: nothing answers at {shown} within {round(timeout_s, 1):g} s; "
        "check the address and the network."
    )


def refused_account(camera: str, shown: str) -> SourceRefused:
    return SourceRefused(
        f"Camera {camera}: {shown} refuses the account; check the user name and the password."
    )


def certificate_failure(camera: str, shown: str, why: str) -> SourceUntrusted:
    """`why` is what the TLS library says, in a few words."""
    why = why.rstrip(".").replace("'", "") or "no reason given"
    return SourceUntrusted(
        f"Camera {camera}: the certificate of {shown} is not trusted ({why}); name the file of the "
        "certificate that signs it in tls_ca, or write verify_tls: false."
    )


def unverifiable(camera: str, shown: str) -> SourceUntrusted:
    return SourceUntrusted(
        f"Camera {camera}: {shown} leads to what cannot be verified: an address without TLS, a "
        "playlist, or a rare format; write verify_tls: false, or another address of the camera."
    )


def _film_failure(error: Exception, name: str, shown: str) -> SourceError:
    import av.error as e

    if isinstance(error, e.FileNotFoundError):
        return SourceNotFound(f"{name}: there is no {shown}; check the path.")
    if isinstance(error, e.PermissionError):
        return SourceUnreadable(f"{name}: {shown} may not be read; check its permissions.")
    return SourceUnreadable(f"{name}: {shown} is not a video that can be read.")


def _over(elapsed_s: float, timeout_s: float) -> bool:
    """Whether a failure came with the end of the time: FFmpeg gives it many names then."""
    return elapsed_s >= 0.9 * timeout_s


def reading_failure(
    error: FFmpegError,
    camera: str,
    shown: str,
    timeout_s: float,
    elapsed_s: float,
    *,
    live: bool,
    udp: bool = False,
) -> SourceError:
    """Why a stream that was open broke, `elapsed_s` seconds after its last packet."""
    import av.error as e

    if isinstance(error, e.TimeoutError | e.ExitError) or _over(elapsed_s, timeout_s):
        return stalled(camera, shown, timeout_s, udp=udp)
    if not live:
        return SourceUnreadable(
            f"Camera {camera}: {shown} cannot be read on ({error.strerror or 'damaged'})."
        )
    return SourceUnreachable(
        f"Camera {camera}: the connection to {shown} broke ({error.strerror or 'no reason given'})."
    )


def no_picture(camera: str, shown: str, dropped: Mapping[str, int]) -> SourceUnreadable:
    """Why a film that could be opened gave no picture at all; `dropped` is what it left out."""
    if dropped.get("encrypted"):
        return SourceUnreadable(f"Camera {camera}: {shown} is encrypted; name a copy that is not.")
    if dropped.get("corrupt"):
        return SourceUnreadable(
            f"Camera {camera}: {shown} is damaged, none of its pictures is whole; "
            "name another copy."
        )
    return SourceUnreadable(f"Camera {camera}: {shown} holds no picture that can be decoded.")


def stalled(camera: str, shown: str, timeout_s: float, *, udp: bool = False) -> SourceStalled:
    remedy = "restart the camera if it stays so"
    if udp:
        remedy = "something may hold UDP back: try transport: tcp"
    return SourceStalled(
        f"Camera {camera}: {shown} is connected but has sent no picture for {timeout_s:g} s; "
        f"{remedy}."
    )
