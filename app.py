"""Fourfold's app: settings, the composition of its pages, and the guarded main. Imported by nothing but tests."""

import argparse
import errno
import os
import secrets
import signal
import socket
import sys
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if os.environ.get("SPACES_ZERO_GPU"):
    import spaces  # noqa: F401  # must come before torch, which it prepares for a GPU that is lent by the call

# Read when torch is imported: its threads spin only shortly while they wait for one another. `python -m tests.bench
# threads` decoded, beside as many busy programs as cores, more than 7.7 times slower with the default, and on idle
# cores 1.6 times slower without any spinning.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

# Read when gradio and huggingface_hub are imported: nothing is reported to anyone, and an idle page costs little.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "50")
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "500")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr
from starlette.middleware import Middleware

from eval.campaign_tab import Page as CampaignPage
from eval.campaign_tab import campaign_tab
from eval.campaigns import Campaigns
from eval.compare_tab import Compare, compare_tab
from eval.errors import USER_ERRORS, InputError
from eval.form import Forms
from eval.form_tab import form_tab
from eval.guard import LOOPBACK, Guard
from eval.limits import Limits
from eval.measuring import Measuring
from eval.mirror import Mirror, mirror_of
from eval.mirror_tab import mirror_line
from eval.results_tab import results_tab
from eval.verdict_tab import verdict_tab
from eval.votes import StoreError, Votes, database_url
from eval.workbench import Workbench
from rag.documents_tab import documents_tab
from tuning.adapters_tab import adapters_tab
from tuning.tune_tab import tune_tab

ROOT = Path(__file__).resolve().parent
UPLOAD_LIMIT = "50mb"
WAITING_ROOM = 64
"""Clicks that may wait for their turn; the engine has a waiting room of its own."""


@dataclass(frozen=True)
class Settings:
    """Where the app keeps its state and whom it serves. Every field has a flag and an environment variable."""

    home: Path
    host: str
    port: int
    base: str | None
    embedder: str | None
    database: str
    public: bool
    """Visitors may ask and vote, but not add documents or train."""
    proxied: bool
    int8: bool
    """The weights in 8 bits: faster and less exact."""
    hosts: tuple[str, ...] = ()
    """Names by which this machine is known to a proxy or tunnel in front of it."""

    @property
    def at_home(self) -> bool:
        """Only this machine can reach the app, so that its visitors may name folders of it to be read."""
        return not (self.public or self.proxied) and self.host in LOOPBACK


def read_settings(arguments: Sequence[str], environment: MutableMapping[str, str]) -> Settings:
    """Flags first, then the environment, then what suits a machine at home."""
    on_space = "SPACE_ID" in environment
    parser = argparse.ArgumentParser(
        description="Fine-tune, retrieve, or both? Compare the four on your own questions.",
        epilog="Example: python app.py --port 7861 --base ./my-model",
    )
    home = environment.get("FOURFOLD_HOME", str(ROOT / "data" / "local"))
    host = environment.get("GRADIO_SERVER_NAME", "0.0.0.0" if on_space else "127.0.0.1")
    parser.add_argument("--home", type=Path, default=Path(home), help="folder of all state (FOURFOLD_HOME)")
    parser.add_argument("--host", default=host, help="address to listen on (GRADIO_SERVER_NAME)")
    parser.add_argument(
        "--port", type=int, default=environment.get("GRADIO_SERVER_PORT", "7860"), help="(GRADIO_SERVER_PORT)"
    )
    parser.add_argument("--base", default=environment.get("FOURFOLD_BASE"), help="folder or Hub id (FOURFOLD_BASE)")
    parser.add_argument("--embedder", default=environment.get("FOURFOLD_EMBEDDER"), help="(FOURFOLD_EMBEDDER)")
    parser.add_argument(
        "--public", action="store_true", default=on_space, help="visitors may ask and vote, not add documents or train"
    )
    int8 = environment.get("FOURFOLD_INT8", "") not in ("", "0")
    parser.add_argument("--int8", action="store_true", default=int8, help="weights in 8 bits (FOURFOLD_INT8=1)")
    given = parser.parse_args(arguments)
    place = given.home.expanduser().resolve()
    database = environment.get("FOURFOLD_DATABASE_URL") or database_url(place)
    hosts = tuple(name.strip() for name in environment.get("FOURFOLD_HOSTS", "").split(",") if name.strip())
    return Settings(
        place, given.host, given.port, given.base, given.embedder, database, given.public, on_space, given.int8, hosts
    )


def build(settings: Settings, workbench: Workbench, votes: Votes, mirror: Mirror | None = None) -> gr.Blocks:
    """The seven pages."""
    campaigns = Campaigns(settings.database)
    demo = gr.Blocks(title="Fourfold", analytics_enabled=False, delete_cache=(3600, 24 * 3600))
    with demo:
        navigation()
        compare = Compare(workbench, votes, Limits(), settings.proxied)
        compare_tab(demo, compare, browser_secret(settings.home), campaigns)
    with demo.route("Documents", "/documents"):
        navigation()
        documents_tab(workbench.indexes, workbench.embedder, not settings.public, folders=settings.at_home)
    with demo.route("Tune", "/tune"):
        navigation()
        tune_tab(settings.home, workbench.adapter_folders, settings.base, enabled=not settings.public)
    with demo.route("Adapters", "/adapters"):
        navigation()
        shelves = (settings.home / "adapters", settings.home / "models", workbench.adapter_folders[-1])
        adapters_tab(settings.home, shelves, settings.database, enabled=not settings.public)
    with demo.route("Rating form", "/form"):
        navigation()
        form_tab(Forms(settings.home), editable=not settings.public)
    with demo.route("Campaigns", "/campaigns"):
        navigation()
        campaign_tab(CampaignPage(workbench, votes, campaigns, editable=not settings.public))
    with demo.route("Results", "/results"):
        navigation()
        results_tab(votes, exports=not settings.public)
        mirror_line(mirror, lasting=not settings.proxied or settings.database != database_url(settings.home))
    with demo.route("Verdict", "/verdict"):
        navigation()
        folders, measuring = workbench.adapter_folders, Measuring(workbench)
        verdict_tab(settings.home, votes, folders, enabled=not settings.public, measuring=measuring)
    return demo


def navigation() -> None:
    gr.components.Navbar(main_page_name="Compare")


def launch_options(settings: Settings) -> dict[str, Any]:
    """How the server is hardened and how the pages look."""
    return {
        "server_name": settings.host,
        "server_port": settings.port,
        "max_file_size": UPLOAD_LIMIT,
        "run_history": False,
        "enable_monitoring": False,
        "share": False,
        "state_session_capacity": 200,
        "footer_links": ["settings"],
        "ssr_mode": False,
        "mcp_server": False,
        "pwa": False,
        "app_kwargs": {"middleware": [Middleware(Guard, settings.at_home, settings.hosts)]},
        "theme": theme(),
        "css_paths": [ROOT / "eval" / "compare.css"],
        "head": f"<script>{(ROOT / 'eval' / 'compare.js').read_text(encoding='utf-8')}</script>",
        "quiet": True,
    }


def theme() -> gr.themes.Base:
    """Gradio's own, with fonts of the reader's system; its subdued text is too pale to read in the light."""
    plain = gr.themes.Default(primary_hue="teal", font=["system-ui", "sans-serif"], font_mono=["monospace"])
    return plain.set(body_text_color_subdued="*neutral_600")


def browser_secret(home: Path) -> str:
    """What the browser's copy of a pseudonym is sealed with; kept, so that a restart does not make raters anew."""
    path = home / "browser-secret"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}-{os.getpid()}")
        temporary.touch(mode=0o600)
        temporary.write_text(secrets.token_hex(32), encoding="ascii")
        temporary.replace(path)
    return path.read_text(encoding="ascii")


def check_port(host: str, port: int) -> None:
    """Raise InputError if the app could not listen there, before anything is loaded."""
    if not 1 <= port <= 65535:
        raise InputError(f"{port} is no port; choose one from 1 to 65535 with --port.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        busy = error.errno == errno.EADDRINUSE
        trouble = f"Port {port} is in use" if busy else f"Cannot listen on {host}:{port} ({error.strerror})"
        raise InputError(f"{trouble}; choose another with --port or --host.") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the app and serve until interrupted. Returns the exit status."""
    settings = read_settings(sys.argv[1:] if arguments is None else arguments, os.environ)
    try:
        check_port(settings.host, settings.port)
        votes = Votes(settings.database)
        workbench = Workbench(settings.home, settings.base, settings.embedder, settings.int8)
        mirror = mirror_of(votes, settings.home, os.environ)
        demo = build(settings, workbench, votes, mirror)
    except (*USER_ERRORS, StoreError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"{settings.home} cannot be used ({error.strerror}); choose a folder with --home.\n")
        return 2
    demo.queue(max_size=WAITING_ROOM, api_open=False)
    demo.launch(prevent_thread_lock=True, **launch_options(settings))
    sys.stderr.write(f"Fourfold is on http://{settings.host}:{settings.port} (stop it with Ctrl-C)\n")
    workbench.start()
    votes.read_ahead()
    if mirror:
        mirror.start()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # how a Space is stopped: the last votes are still sent
    try:
        demo.block_thread()
    finally:
        if mirror:
            mirror.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
