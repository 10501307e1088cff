"""RTSP cameras by GStreamer's server, for the system's own Python, which has its bindings.

Prints their ports as JSON once they listen, and ends with its standard input:
`gstreamer_cameras.py USER PASSWORD [CERTIFICATE KEY]`.
"""

import json
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

RATE = 30
LAUNCH = (
    f"( videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=120,framerate={RATE}/1"
    f" ! openh264enc gop-size=10 ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1 )"
)


def token(role):
    made = GstRtspServer.RTSPToken()
    made.set_string("media.factory.role", role)
    return made


def camera(user, password, method=None, certificate=None):
    """A server at a free port of this machine; gives it and the port."""
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(LAUNCH)
    factory.set_shared(True)
    server.get_mount_points().add_factory("/stream", factory)
    if method is not None or certificate is not None:
        auth = GstRtspServer.RTSPAuth()
        permissions = GstRtspServer.RTSPPermissions()
        for right in ("access", "construct"):
            permissions.add_permission_for_role("viewer", f"media.factory.{right}", True)
        factory.set_permissions(permissions)
        if method == "basic":
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token("viewer"))
        elif method == "digest":
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest(user, password, token("viewer"))
        else:
            auth.set_default_token(token("viewer"))
        if certificate is not None:
            auth.set_tls_certificate(Gio.TlsCertificate.new_from_files(*certificate))
        server.set_auth(auth)
    server.attach(None)
    return server, server.get_bound_port()


def main():
    Gst.init(None)
    user, password, *certificate = sys.argv[1:]
    kinds = {"open": {}, "basic": {"method": "basic"}, "digest": {"method": "digest"}}
    if certificate:
        kinds["tls"] = {"certificate": certificate}
    cameras = {name: camera(user, password, **options) for name, options in kinds.items()}
    print(json.dumps({name: port for name, (_, port) in cameras.items()}), flush=True)
    loop = GLib.MainLoop()
    GLib.io_add_watch(sys.stdin.fileno(), GLib.IO_HUP | GLib.IO_IN, lambda *_: loop.quit())
    loop.run()


main()
