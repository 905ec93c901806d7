"""The manifest as it is written: its fields, from which `docs/manifest.schema.json` is made.

A field is described for whoever writes a manifest. What a type cannot say (that a folder is there,
say) is checked by `manifest.load`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from iolab.harness.subject.kinds import (
    Capabilities,
    Command,
    Environment,
    Folder,
    Image,
    Name,
    Outcomes,
    Paths,
    Port,
    Profile,
    Seconds,
    Text,
    User,
)
from iolab.harness.subject.promises import Promises

START_S = 10.0


class NatureTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the server cannot do by its nature; stated here, and asserted exactly."""

    fails: Annotated[
        Outcomes,
        Meta(description="The scenarios that fail, each with the verdict and the reason."),
    ] = {}


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A server under test: how it is started, and what it promises."""

    name: Annotated[Name, Meta(description="What reports call it.")]
    port: Annotated[Port, Meta(description="The port that the server listens on.")]
    title: Annotated[Text | None, Meta(description="The server in a few words.")] = None
    command: Annotated[
        Command | None,
        Meta(description="What starts it, as words; {host} and {port} are filled in."),
    ] = None
    image: Annotated[Image | None, Meta(description="The image that it runs in, on Docker.")] = None
    files: Annotated[
        Folder | None,
        Meta(description="Its folder, relative to the manifest; the command is run in it."),
    ] = None
    protocol: Annotated[
        Literal["line"], Meta(description="What it speaks: each line is answered by a line.")
    ] = "line"
    environment: Annotated[Environment, Meta(description="Variables of its environment.")] = {}
    user: Annotated[User | None, Meta(description="Who it runs as, on Docker.")] = None
    writable: Annotated[
        Paths, Meta(description="Folders that it may write to; the rest is read-only.")
    ] = ()
    capabilities: Annotated[
        Capabilities, Meta(description="Capabilities that it needs; it has no others.")
    ] = ()
    seccomp: Annotated[
        Profile | None,
        Meta(description="A seccomp profile in place of the engine's own, on Docker."),
    ] = None
    start_s: Annotated[
        Seconds, Meta(description="It listens within so many seconds of its start.")
    ] = START_S
    promises: Promises = field(default_factory=Promises)
    nature: NatureTable = field(default_factory=NatureTable)
    expected: Annotated[
        Outcomes,
        Meta(description="Of a server of the gallery: the scenarios that find its bug."),
    ] = {}
