"""The application factory: creates the parts of chatapp, and connects them."""

from flask import Flask

from chatapp.accounts.avatars import blueprint as avatars_blueprint
from chatapp.accounts.login import init_login
from chatapp.accounts.routes import blueprint as accounts_blueprint
from chatapp.admin.routes import blueprint as admin_blueprint
from chatapp.api.avatars.routes import blueprint as api_avatars_blueprint
from chatapp.api.docs.routes import blueprint as api_docs_blueprint
from chatapp.api.drafts.routes import blueprint as api_drafts_blueprint
from chatapp.api.emoji.routes import blueprint as api_emoji_blueprint
from chatapp.api.files.routes import blueprint as api_files_blueprint
from chatapp.api.mentions.routes import blueprint as api_mentions_blueprint
from chatapp.api.routes import blueprint as api_blueprint
from chatapp.api.saved.routes import blueprint as api_saved_blueprint
from chatapp.api.scheduled.routes import blueprint as api_scheduled_blueprint
from chatapp.api.search.routes import blueprint as api_search_blueprint
from chatapp.api.sessions.routes import blueprint as api_sessions_blueprint
from chatapp.api.templates.routes import blueprint as api_templates_blueprint
from chatapp.api.threads.routes import blueprint as api_threads_blueprint
from chatapp.api.tokens.routes import blueprint as api_tokens_blueprint
from chatapp.api.uploads.routes import blueprint as api_uploads_blueprint
from chatapp.assistants.answer_requests import init_answer_requests
from chatapp.assistants.routes import blueprint as assistants_blueprint
from chatapp.assistants.templates.routes import blueprint as session_templates_blueprint
from chatapp.backup.encryption import require_key
from chatapp.backup.files import restoring_folder
from chatapp.concurrency.native import EXTENSION as NATIVE_POOLS
from chatapp.concurrency.native import NativePools
from chatapp.concurrency.supervision import EXTENSION as SUPERVISOR
from chatapp.concurrency.supervision import Supervisor
from chatapp.config import EXTENSION as SETTINGS
from chatapp.config import ROOT, Settings, load_settings, log_variable_problems
from chatapp.config.assistants import init_assistants
from chatapp.config.data_dir import prepare_data_dir
from chatapp.destinations.forwarding import blueprint as forwarding_blueprint
from chatapp.destinations.routes import blueprint as destinations_blueprint
from chatapp.direct.routes import blueprint as direct_blueprint
from chatapp.fallback import init_fallback
from chatapp.files.uploads import init_files
from chatapp.general.routes import blueprint as general_blueprint
from chatapp.http_server.gate import init_gate
from chatapp.limits.rates import init_rate_limits
from chatapp.messages.emoji import blueprint as emoji_blueprint
from chatapp.messages.files import blueprint as files_blueprint
from chatapp.messages.routes import blueprint as messages_blueprint
from chatapp.messages.saved import blueprint as saved_blueprint
from chatapp.messages.scheduled import blueprint as scheduled_blueprint
from chatapp.messages.search import blueprint as search_blueprint
from chatapp.messages.threads import blueprint as threads_blueprint
from chatapp.messages.uploads import blueprint as uploads_blueprint
from chatapp.offline.routes import blueprint as offline_blueprint
from chatapp.presentation import init_presentation
from chatapp.presentation.errors import init_errors
from chatapp.presentation.templates import init_templates
from chatapp.realtime import init_realtime
from chatapp.rooms.routes import blueprint as rooms_blueprint
from chatapp.signals import EXTENSION as SIGNALS
from chatapp.signals import Signals
from chatapp.storage import EXTENSION as WRITER
from chatapp.storage import init_readers
from chatapp.storage.statements import StatementObserver
from chatapp.telemetry.health import ALIVE, READY, init_health
from chatapp.telemetry.logs import init_event_log, init_logs
from chatapp.telemetry.metrics import blueprint as metrics_blueprint
from chatapp.telemetry.metrics import init_metrics
from chatapp.telemetry.operations import init_operations
from chatapp.telemetry.status.routes import blueprint as status_blueprint
from chatapp.telemetry.status.status import init_status
from chatapp.timeline import create_writer
from chatapp.timeline.known_messages import init_known_messages
from chatapp.transcripts.exports import init_exports
from chatapp.transcripts.routes import blueprint as transcripts_blueprint
from chatapp.web.compression import init_compression
from chatapp.web.hosts import check_hosts
from chatapp.web.request_ids import init_request_ids
from chatapp.web.rules import LazyRule
from chatapp.web.security import init_security, init_security_headers, trust_proxies
from chatapp.web.static_files import init_static_files
from chatapp.webhooks.routes import blueprint as webhooks_blueprint
from chatapp.webhooks.sender import init_webhooks


def create_app(settings: Settings | None = None, *, is_serving: bool = False) -> Flask:
    """Create the application from `settings`, or from the environment.

    `wsgi.py` serves it, and passes `is_serving`. Commands of the shell do not: they may use the database for long.
    """
    settings = settings or load_settings()
    app = Flask(
        "chatapp",
        instance_path=str(settings.data_dir),
        static_folder=str(ROOT / "static"),
        template_folder=str(ROOT / "templates"),
    )
    app.url_rule_class = LazyRule
    app.extensions[SETTINGS] = settings
    init_logs(settings.log_level, with_sql=settings.log_sql, worker=settings.worker)
    prepare_data_dir(settings.data_dir)
    if restoring_folder(settings).is_dir():
        from chatapp.backup.restoring import complete_restore  # Few starts need it.

        complete_restore(settings)
    if is_serving:
        require_key(settings)
    else:
        from chatapp.cli import init_cli, is_choosing_command  # A server has no commands.

        require_key(settings, only_secrets=is_choosing_command())  # `Commands` has the rest, for all but some commands.
        init_cli(app)
    init_templates(app, settings)
    log_variable_problems()
    init_operations(app)
    init_compression(app, settings)
    init_security(app, settings)
    init_rate_limits(app, settings)
    app.extensions[NATIVE_POOLS] = NativePools.create(
        read_threads=settings.read_threads,
        search_threads=settings.search_threads,
        password_threads=settings.password_threads,
        file_threads=settings.file_threads,
        max_queued=settings.max_queued_calls,
    )
    statements = StatementObserver(settings)
    init_readers(app, settings, statements, is_serving=is_serving)
    app.extensions[SUPERVISOR] = supervisor = Supervisor()
    app.extensions[SIGNALS] = signals = Signals()
    init_event_log(app)
    init_status(app, settings)
    init_metrics(app, statements)
    app.extensions[WRITER] = create_writer(settings, supervisor, signals, statements, is_serving=is_serving)
    init_known_messages(app)
    init_files(app, settings)
    init_assistants(app, settings)
    init_fallback(app, settings)
    init_login(app)
    init_presentation(app)
    init_static_files(app, is_serving=is_serving)
    init_errors(app)
    for blueprint in (
        general_blueprint,
        rooms_blueprint,
        direct_blueprint,
        destinations_blueprint,
        forwarding_blueprint,
        assistants_blueprint,
        session_templates_blueprint,
        transcripts_blueprint,
        webhooks_blueprint,
        messages_blueprint,
        emoji_blueprint,
        files_blueprint,
        threads_blueprint,
        scheduled_blueprint,
        saved_blueprint,
        search_blueprint,
        uploads_blueprint,
        api_blueprint,
        api_avatars_blueprint,
        api_drafts_blueprint,
        api_emoji_blueprint,
        api_files_blueprint,
        api_scheduled_blueprint,
        api_mentions_blueprint,
        api_saved_blueprint,
        api_search_blueprint,
        api_sessions_blueprint,
        api_templates_blueprint,
        api_threads_blueprint,
        api_tokens_blueprint,
        api_uploads_blueprint,
        api_docs_blueprint,
        accounts_blueprint,
        avatars_blueprint,
        admin_blueprint,
        status_blueprint,
        metrics_blueprint,
        offline_blueprint,
    ):
        app.register_blueprint(blueprint)
    init_webhooks(app)
    init_answer_requests(app, settings)
    init_exports(app, settings)
    init_realtime(app, settings)
    init_health(app)
    check_hosts(app, settings, without_database=(ALIVE, READY))
    init_gate(app, settings)
    trust_proxies(app, settings)
    init_security_headers(app, settings)
    init_request_ids(app)
    return app
