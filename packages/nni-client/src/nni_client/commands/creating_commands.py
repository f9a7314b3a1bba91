"""nnictl create and nnictl resume."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nni_client.commands.groups import EndedId, ExperimentsDirectory, Port, app, whole_number

Foreground = Annotated[
    bool, typer.Option("--foreground", "-f", help="Stay and show how far it is, until it has ended.")
]
Debug = Annotated[bool, typer.Option("--debug", "-d", help="Log more.")]
UrlPrefix = Annotated[
    str | None,
    typer.Option("--url-prefix", "-u", help="The path that a reverse proxy puts before the page's."),
]
Bind = Annotated[str | None, typer.Option("--bind", help="The address to listen on, 127.0.0.1 if left out.")]
AllowedHosts = Annotated[
    list[str] | None,
    typer.Option("--allowed-host", help="A name under which browsers may reach the page; may be repeated."),
]
AllowPlaintext = Annotated[
    bool, typer.Option("--allow-plaintext", help="Let other machines connect without encryption.")
]
TlsCertificate = Annotated[
    Path | None, typer.Option("--tls-certificate", help="A certificate chain (PEM), to listen with TLS.")
]
TlsKey = Annotated[Path | None, typer.Option("--tls-key", help="The certificate's private key (PEM).")]
TlsCa = Annotated[
    Path | None,
    typer.Option("--tls-ca", help="What clients are to trust (PEM); the certificate chain if left out."),
]


@app.command()
def create(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The experiment's configuration, a YAML file.")
    ],
    port: Port = 8080,
    foreground: Foreground = False,
    debug: Debug = False,
    url_prefix: UrlPrefix = None,
    bind: Bind = None,
    allowed_host: AllowedHosts = None,
    allow_plaintext: AllowPlaintext = False,
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
    tls_ca: TlsCa = None,
) -> None:
    """Start an experiment."""
    from nni_client.commands.creating import Options, create_experiment

    options = Options(port, debug, bind, allowed_host, allow_plaintext, tls_certificate, tls_key, tls_ca)
    raise typer.Exit(create_experiment(config, options, url_prefix, foreground))


@app.command()
def resume(
    experiment_id: EndedId,
    port: Port = 8080,
    foreground: Foreground = False,
    debug: Debug = False,
    experiments_directory: ExperimentsDirectory = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="A changed configuration to go on with; else the recorded one."),
    ] = None,
    trial_number: Annotated[
        int | None,
        typer.Option(
            "--trialnum",
            parser=whole_number,
            metavar="NUMBER",
            help="Another limit of trials, those that ended included.",
        ),
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--duration", help="Another limit of time, such as 2h, time run included.")
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            "--concurrency",
            parser=whole_number,
            metavar="NUMBER",
            help="How many trials may run at the same time.",
        ),
    ] = None,
    url_prefix: UrlPrefix = None,
    bind: Bind = None,
    allowed_host: AllowedHosts = None,
    allow_plaintext: AllowPlaintext = False,
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
    tls_ca: TlsCa = None,
) -> None:
    """Go on with an experiment that has ended or lost its manager.

    Secrets, which no record has, are taken from the variables NNI_SECRET_... or asked for on a terminal.
    """
    from nni_client.commands.creating import Options
    from nni_client.commands.resuming import Changes, resume_experiment

    options = Options(port, debug, bind, allowed_host, allow_plaintext, tls_certificate, tls_key, tls_ca)
    changes = Changes(config, trial_number, duration, concurrency)
    code = resume_experiment(experiment_id, experiments_directory, changes, options, url_prefix, foreground)
    raise typer.Exit(code)
