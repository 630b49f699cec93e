"""Every key of the file format: type, default, limits, and what it does.

This tree is the one list of keys. ``decode`` reads values through it, the warnings for
unknown keys come from it, and so does the JSON schema for editors
(``json_schema.py``). Names follow the file's spelling (config.md sections 8 to 18).
"""

from types import MappingProxyType
from typing import Final

from swapper.config.key import Key, KeySet, Kind

_MODALITIES: Final = ("text", "audio", "image")
_NOT_BLANK: Final = r"\S"
_NOT_EMPTY: Final = r"\S|\s"


def _set(**keys: Key) -> KeySet:
    return KeySet(MappingProxyType(keys))


def _boolean(
    default: bool | None,
    about: str,
    *,
    words: tuple[str, ...] = (),
) -> Key:
    return Key(kind=Kind.BOOLEAN, default=default, about=about, words=words)


def _integer(
    default: int | None,
    about: str,
    *,
    minimum: int | None = None,
) -> Key:
    return Key(kind=Kind.INTEGER, default=default, about=about, minimum=minimum)


def _text(
    default: str | None,
    about: str,
    *,
    words: tuple[str, ...] = (),
    hints: tuple[str, ...] = (),
    pattern: str = "",
    is_required: bool = False,
) -> Key:
    return Key(
        kind=Kind.TEXT,
        default=default,
        about=about,
        words=words,
        hints=hints,
        pattern=pattern,
        is_required=is_required,
    )


def _texts(
    about: str,
    *,
    default: tuple[str, ...] = (),
    words: tuple[str, ...] = (),
    pattern: str = "",
    is_required: bool = False,
) -> Key:
    return Key(
        kind=Kind.TEXTS,
        default=default,
        about=about,
        words=words,
        pattern=pattern,
        is_required=is_required,
    )


def _json(about: str) -> Key:
    return Key(kind=Kind.JSON, about=about)


def _section(below: KeySet, about: str) -> Key:
    return Key(kind=Kind.SECTION, below=below, about=about)


def _sections(below: KeySet, about: str, *, name_pattern: str = "") -> Key:
    return Key(kind=Kind.SECTIONS, below=below, about=about, name_pattern=name_pattern)


_MACROS: Final = Key(
    kind=Kind.MACROS,
    about="Names to texts, numbers or booleans that stand for ${name}, in order.",
)
_NAME: Final = _text("", "Name shown in model lists.")
_DESCRIPTION: Final = _text("", "Description shown in model lists.")
_UNLISTED: Final = _boolean(False, "Hide it from model lists; it stays usable.")
_METADATA: Final = _json("Anything; shown in model lists.")


def _filters(*, is_model: bool) -> KeySet:
    keys = {
        "stripParams": _text(
            "", "Comma-separated paths removed from JSON request bodies."
        ),
        "setParams": _json("Paths and values set in JSON request bodies."),
        "setParamsByID": Key(
            kind=Kind.JSON_MAP,
            about="As setParams, chosen by the requested name."
            + (" Each name becomes an alias of the model." if is_model else ""),
        ),
    }
    if is_model:
        keys["strip_params"] = _text("", "Old spelling of stripParams.")
    return KeySet(MappingProxyType(keys))


def _timeouts(response_header_s: int) -> KeySet:
    return _set(
        connect=_integer(30, "Seconds for a TCP connection; 0 waits for ever."),
        keepalive=_integer(
            30,
            "Seconds between TCP keep-alive probes; 0 is the system's, below 0 off.",
        ),
        responseHeader=_integer(
            response_header_s,
            "Seconds from the end of the request to the answer's head; 0 waits for "
            "ever.",
        ),
        tlsHandshake=_integer(10, "Seconds for a TLS handshake; 0 waits for ever."),
        expectContinue=_integer(
            1, "Seconds to wait for a 100 Continue before the body is sent."
        ),
        idleConn=_integer(
            90, "Seconds that an unused connection is kept; 0 keeps it for ever."
        ),
    )


CAPABILITIES: Final = KeySet(
    MappingProxyType(
        {
            "in": _texts("What the model takes.", words=_MODALITIES),
            "out": _texts("What the model makes.", words=_MODALITIES),
            "tools": _boolean(False, "Whether it calls tools."),
            "reranker": _boolean(False, "Whether it is a reranker."),
            "context": _integer(0, "Context size in tokens.", minimum=0),
        }
    )
)

COMPAT: Final = _set(
    ignoreWebsockets=_boolean(
        False, "Websockets neither start the model nor keep it from being unloaded."
    ),
)

MODEL: Final = _set(
    cmd=_text("", "Command that starts the model server; no shell is involved."),
    cmdStop=_text("", "Command that stops it, instead of SIGTERM; may use ${PID}."),
    proxy=_text(
        "http://localhost:${PORT}", "Base URL where the model server is reached."
    ),
    checkEndpoint=_text(
        "/health", "Path that answers 200 when the model is ready; none skips it."
    ),
    aliases=_texts("Other names of the model.", pattern=_NOT_EMPTY),
    env=_texts("NAME=value items added to the environment of cmd and cmdStop."),
    ttl=_integer(
        -1,
        "Seconds without a request after which the model is unloaded; 0 never, -1 "
        "takes globalTTL.",
        minimum=-1,
    ),
    unloadTimeout=_integer(
        0,
        "Seconds between asking the model to stop and killing it; 0 takes the "
        "global value.",
        minimum=0,
    ),
    unlisted=_UNLISTED,
    useModelName=_text("", "Model name sent to the model server."),
    name=_NAME,
    description=_DESCRIPTION,
    concurrencyLimit=_integer(
        0, "How many requests may wait or be served; more get 429. 0 takes 10."
    ),
    filters=_section(_filters(is_model=True), "Edits of JSON request bodies."),
    macros=_MACROS,
    metadata=_METADATA,
    sendLoadingState=_boolean(
        None,
        "Stream loading messages while the model loads; heartbeat sends comments.",
        words=("heartbeat",),
    ),
    timeouts=_section(_timeouts(0), "Limits of the connection to the model server."),
    compat=_section(COMPAT, "Switches for special clients."),
    capabilities=_section(CAPABILITIES, "What the model can do, for model lists."),
    resources=Key(
        kind=Kind.QUANTITY_MAP,
        about="What it takes of each resource of the budget; not set: as measured.",
        has_nulls=False,
    ),
    pin=_boolean(False, "Never stop it to make room; for the budget router."),
    prefetch=_texts(
        "Files and directories read into the page cache while the model waits to be "
        "loaded; not set: the weights that cmd names. [] reads nothing.",
        pattern=_NOT_EMPTY,
    ),
    healthCheckTimeout=Key(
        kind=Kind.INTEGER,
        about="Cannot be set per model: the top-level value applies.",
        is_inert=True,
    ),
)

GROUP: Final = _set(
    swap=_boolean(True, "Whether only one member may run at a time."),
    exclusive=_boolean(True, "Whether loading a member stops other groups' models."),
    persistent=_boolean(False, "Whether other groups cannot stop its members."),
    members=_texts("Models of the group, by id or alias."),
)

MATRIX: Final = _set(
    vars=Key(
        kind=Kind.TEXT_MAP,
        about="Short names for model ids.",
        has_nulls=False,
        name_pattern="^[A-Za-z0-9.-]{1,32}$",
    ),
    evict_costs=Key(
        kind=Kind.INTEGER_MAP,
        about="What stopping a model costs; 1 if not given.",
        minimum=1,
    ),
    sets=Key(
        kind=Kind.TEXT_MAP,
        about="Which models may run together: & both, | either, +name another set.",
        pattern=_NOT_BLANK,
        has_nulls=False,
        is_required=True,
    ),
)

BUDGET: Final = _set(
    resources=Key(
        kind=Kind.QUANTITY_MAP,
        about="How much there is of each: 24GiB, 64GB, or a plain number.",
        has_nulls=False,
        is_required=True,
    ),
)

_GROUPS: Final = _sections(
    GROUP,
    "Which models may run together, by groups.",
    name_pattern=r"^(?!\(default\)$)",
)
_MATRIX: Final = _section(MATRIX, "Which models may run together, by expressions.")


def _queue_rules(shortest_wait_s: int, about_max_wait: str) -> KeySet:
    return _set(
        priority=Key(
            kind=Kind.INTEGER_MAP,
            about="Models whose waiting requests go first; 0 if not given.",
        ),
        maxWait=_integer(60, about_max_wait, minimum=shortest_wait_s),
    )


ROUTING: Final = _set(
    router=_section(
        _set(
            use=_text("", "Which router decides.", hints=("group", "matrix", "budget")),
            settings=_section(
                _set(
                    groups=_GROUPS,
                    matrix=_MATRIX,
                    budget=_section(BUDGET, "Which models run together, by sums."),
                ),
                "By router.",
            ),
        ),
        "What must stop for a model to run.",
    ),
    scheduler=_section(
        _set(
            use=_text("", "Which scheduler decides.", hints=("fifo", "adaptive")),
            settings=_section(
                _set(
                    fifo=_section(
                        _queue_rules(
                            0,
                            "Seconds after which a waiting model is owed its turn; 0 "
                            "is never.",
                        ),
                        "First come, first served.",
                    ),
                    adaptive=_section(
                        _queue_rules(
                            1, "Seconds after which a waiting model is owed its turn."
                        ),
                        "As fifo, but a model lingers if it is about to be asked again.",
                    ),
                ),
                "By scheduler.",
            ),
        ),
        "In which order waiting requests are served.",
    ),
)

PEER: Final = _set(
    proxy=_text(
        None, "Base URL of the other server.", pattern=_NOT_EMPTY, is_required=True
    ),
    models=_texts(
        "Model names as the peer knows them.", pattern=_NOT_EMPTY, is_required=True
    ),
    apiKey=_text(
        "", "Key sent to the peer instead of the client's.", pattern="^[ -~]*$"
    ),
    filters=_section(_filters(is_model=False), "Edits of JSON request bodies."),
    timeouts=_section(_timeouts(60), "Limits of the connection to the peer."),
)

SELECTOR: Final = _set(
    strategy=_text(
        None,
        "How a target is chosen.",
        words=("pin", "warm", "spillover"),
        is_required=True,
    ),
    targets=_texts("Models to choose from, in order.", is_required=True),
    settings=_section(
        _set(
            spillover=_integer(
                1, "Requests in progress at which the next target is started."
            )
        ),
        "Settings of the strategy.",
    ),
    name=_NAME,
    description=_DESCRIPTION,
    unlisted=_UNLISTED,
    metadata=_METADATA,
)

PROFILE: Final = _set(
    description=_text("", "Description shown in the list of profiles."),
    pins=Key(
        kind=Kind.TEXT_MAP,
        about="Requested names to the names that take their place; null: off.",
        name_pattern=_NOT_BLANK,
        is_required=True,
    ),
)

TOP_LEVEL: Final = _set(
    models=_sections(MODEL, "The models, by id."),
    macros=_MACROS,
    startPort=_integer(5800, "First value of ${PORT}.", minimum=1),
    healthCheckTimeout=_integer(
        120, "Seconds that a model may take to become ready; 15 at least."
    ),
    globalTTL=_integer(0, "Default of a model's ttl; 0 never.", minimum=0),
    unloadTimeout=_integer(
        10, "Default of a model's unloadTimeout; 0 is 10.", minimum=0
    ),
    logLevel=_text(
        "info",
        "Least severity of swapper's own log.",
        hints=("debug", "info", "warn", "error"),
    ),
    logTimeFormat=_text(
        "",
        "Form of the time in log lines; empty for none.",
        hints=(
            *("ansic", "unixdate", "rubydate", "rfc822", "rfc822z", "rfc850"),
            *("rfc1123", "rfc1123z", "rfc3339", "rfc3339nano", "kitchen"),
            *("stamp", "stampmilli", "stampmicro", "stampnano"),
        ),
    ),
    logToStdout=_text(
        "proxy",
        "Which logs go to standard output.",
        words=("proxy", "upstream", "both", "none"),
    ),
    logRequests=Key(
        kind=Kind.BOOLEAN, about="Old files have it; no effect.", is_inert=True
    ),
    metricsMaxInMemory=_integer(1000, "Rows of the activity log kept in memory."),
    captureBuffer=_integer(5, "Megabytes for captures of requests; 0 turns them off."),
    store=_section(
        _set(
            path=_text(
                None,
                "SQLite file for the activity log.",
                pattern=_NOT_BLANK,
                is_required=True,
            )
        ),
        "Where the activity log is kept; in memory without it.",
    ),
    ui=_section(
        _set(
            activity=_section(
                _set(
                    session_id=_texts(
                        "Request headers that identify a session, in order.",
                        default=("X-Session-ID", "X-Litellm-Session-Id"),
                    )
                ),
                "The activity page.",
            )
        ),
        "Settings of the web page.",
    ),
    performance=_section(
        _set(
            disabled=_boolean(False, "Turn the monitor off."),
            every=Key(
                kind=Kind.DURATION,
                about="Time between samples, e.g. 10s or 1m30s; 5s at least.",
                default="5s",
            ),
        ),
        "Samples of processor, memory and GPUs.",
    ),
    sendLoadingState=_boolean(
        False,
        "Default of a model's sendLoadingState.",
        words=("heartbeat",),
    ),
    includeAliasesInList=_boolean(False, "Show each alias in model lists."),
    apiKeys=Key(
        kind=Kind.TEXTS,
        default=(),
        about="Keys that clients must have one of; empty: no check.",
        pattern="^[^ ]+$",
        has_nulls=False,
    ),
    hooks=_section(
        _set(
            on_startup=_section(
                _set(preload=_texts("Models loaded at start, by id or alias.")),
                "When swapper starts or has reloaded.",
            )
        ),
        "What happens by itself.",
    ),
    routing=_section(ROUTING, "Which models run together, and in which order."),
    groups=_GROUPS,
    matrix=_MATRIX,
    peers=_sections(PEER, "Other servers and the models they offer."),
    selectors=_sections(
        SELECTOR,
        "Model names that stand for one of several.",
        name_pattern=_NOT_BLANK,
    ),
    profiles=_sections(
        PROFILE, "Sets of names to be switched on together.", name_pattern=_NOT_BLANK
    ),
    upstream=_section(
        _set(
            ignorePaths=_texts(
                "Regular expressions (RE2); a path below /upstream/<model> that matches "
                "does not start the model.",
                default=(r".*\.(js|json|css|png|gif|jpg|jpeg|ico|txt)$",),
            )
        ),
        "Requests below /upstream.",
    ),
)
