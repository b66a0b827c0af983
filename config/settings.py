"""Settings: from the environment, with safe defaults. Everything that is written lies under BLINDSPOT_HOME."""

import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF

BASE_DIR = Path(__file__).resolve().parent.parent
# A variable that is set but empty counts as not set: compose files and unit files pass such ones.
env = environ.Env()
env.ENVIRON = {name: value for name, value in os.environ.items() if value.strip()}


def given(name: str) -> bool:
    """Whether the environment names a value."""
    return name in env.ENVIRON


def stripped(names: list[str]) -> list[str]:
    """Without the spaces that people write after commas."""
    return [name.strip() for name in names if name.strip()]


HOME = Path(env.str("BLINDSPOT_HOME", default=str(BASE_DIR / "var"))).resolve()
HOME.mkdir(parents=True, exist_ok=True)


def _secret_key() -> str:
    """From the environment, else made once and kept in BLINDSPOT_HOME, readable by its owner alone."""
    if given := env.str("SECRET_KEY", default=""):
        return given
    file = HOME / "secret_key"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_text()
    with os.fdopen(descriptor, "w") as handle:
        handle.write(secrets.token_urlsafe(50))
    return file.read_text()


SECRET_KEY = _secret_key()
DEBUG = env.bool("DEBUG", default=False)
PYTHON_NETWORKS = env.bool("PYTHON_NETWORKS", default=False)
"""Whether networks may be made by Python code that is named at their import: that code can do anything."""
ALLOWED_HOSTS = stripped(env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"]))
CSRF_TRUSTED_ORIGINS = stripped(env.list("CSRF_TRUSTED_ORIGINS", default=[]))

INSTALLED_APPS = [
    "core",
    "jobs",
    "model",
    "attacks",
    "study",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "knox",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_tasks",
    "django_tasks_db",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "csp",
    "axes",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "core.middleware.StorableRequests",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "core.languages.ReadersLanguage",
    "core.middleware.ButtonsAddresses",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "libraries": {
                "pages": "core.template_tags",
                "reading": "study.reading.template_tags",
                "results": "study.results.template_tags",
            },
        },
    },
]

# --- Data -----------------------------------------------------------------------------------------------------------

# The default is no address: in one, a folder's "#" and "?" would cut the path short, and "%41" would be another letter.
DATABASES: dict[str, dict[str, Any]] = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(HOME / "blindspot.sqlite3")}
}
if given("DATABASE_URL"):
    DATABASES["default"] = env.db("DATABASE_URL")
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Writers queue for the lock at BEGIN, rather than failing half-way through a transaction. An answer that was
    # acknowledged survives a power cut: FULL waits for the disk at every commit (0.3 ms on an SSD).
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 10,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }
    # Tests use a file, as users do: threads and processes then meet at its locks.
    DATABASES["default"]["TEST"] = {"NAME": HOME / "test.sqlite3"}
# Opening a database, SQLite's with its pragmas included, costs more than most of a request's queries.
DATABASES["default"].setdefault("CONN_MAX_AGE", 60)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STORAGES = {
    # Patches, perturbed images, stimuli, weights and figures; reached through views, never by an address of their own.
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": HOME / "files"}},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
if S3_BUCKET := env.str("S3_BUCKET", default=""):
    # Needs the extra: pip install 'django-storages[s3]'. Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    STORAGES["default"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": S3_BUCKET,
            "endpoint_url": env.str("S3_ENDPOINT_URL", default=None),
            "region_name": env.str("S3_REGION", default=None),
            "location": env.str("S3_PREFIX", default=""),
            "default_acl": None,
            "file_overwrite": False,
            "querystring_auth": True,
        },
    }
MEDIA_URL = "/nowhere/"
STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
STATIC_ROOT.mkdir(exist_ok=True)  # whitenoise warns of an absent one
WHITENOISE_USE_FINDERS = True  # works without collectstatic
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
# What is uploaded, and what archives unpack to: on the disk that was given for data, not in /tmp, which may be memory.
FILE_UPLOAD_TEMP_DIR = HOME / "tmp"
FILE_UPLOAD_TEMP_DIR.mkdir(exist_ok=True)
UPLOAD_MAX_BYTES = env.int("UPLOAD_MAX_BYTES", default=4_000_000_000)
UPLOAD_MAX_UNPACKED_BYTES = env.int("UPLOAD_MAX_UNPACKED_BYTES", default=20_000_000_000)
# Folders on the server that pages may import from; the command line reads any.
IMPORT_ROOTS = stripped(env.list("IMPORT_ROOTS", default=[str(HOME / "incoming")]))

# --- People ---------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "core.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "core.passwords.NotTheSameAgain"},
]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign_in"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_CALLABLE = "core.sign_in.name_tried"
AXES_CLIENT_IP_CALLABLE = "core.sign_in.client_address"
AXES_HANDLER = "core.sign_in.Handler"
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "code", "again"]  # never stored with an attempt
SIGN_INS_PER_ADDRESS = env.int("SIGN_INS_PER_ADDRESS", default=100)  # failed ones in AXES_COOLOFF_TIME, over all names
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)  # how many proxies add to X-Forwarded-For
PASSWORD_RESET_TIMEOUT = env.int("PASSWORD_LINK_HOURS", default=24) * 3600
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
AXES_LOCKOUT_TEMPLATE = "core/locked.html"
OTP_TOTP_ISSUER = "Blindspot"
OTP_ADMIN_HIDE_SENSITIVE_DATA = True
SESSION_COOKIE_AGE = env.int("SESSION_COOKIE_AGE", default=12 * 3600)

# --- What a browser may do ------------------------------------------------------------------------------------------

HTTPS = env.bool("HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
if env.bool("BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],  # Pico.css draws its marks from data: addresses
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}

# --- Mail -----------------------------------------------------------------------------------------------------------

EMAIL_CONFIGURED = given("EMAIL_URL")
if EMAIL_CONFIGURED:  # e.g. smtp+tls://user:password@mail.example.org:587
    vars().update(env.email_url("EMAIL_URL"))
    MAIL_BACKEND = vars()["EMAIL_BACKEND"]
    EMAIL_BACKEND = "core.mail.Backend"  # a mail that cannot be sent is reported, and stops nothing
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT", default=10)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="blindspot@localhost")

# --- Programs -------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],  # the browsable API breaks the policy above
    "DEFAULT_METADATA_CLASS": None,  # the schema describes every address; OPTIONS is answered with 405
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "knox.auth.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["core.access.IsResearcher"],
    "EXCEPTION_HANDLER": "core.api.handle",
    "DEFAULT_PAGINATION_CLASS": "core.incoming.Pages",
    "PAGE_SIZE": 100,
    "DEFAULT_PARSER_CLASSES": ["core.incoming.StorableJSON"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
}
# Tokens are kept as hashes and expire.
REST_KNOX = {"TOKEN_TTL": timedelta(days=env.int("API_TOKEN_DAYS", default=365)), "TOKEN_LIMIT_PER_USER": None}
SPECTACULAR_SETTINGS = {
    "TITLE": "Blindspot",
    "DESCRIPTION": "Can a pathologist see what fools the model?",
    "VERSION": "1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["core.access.IsResearcher"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "JobState": "jobs.models.Job.State",
        "StudyState": "study.models.Study.State",
        "Norm": "attacks.requests.NORMS",
        "MeasuredNorm": "attacks.requests.MEASURED",
    },
}

# --- Jobs -----------------------------------------------------------------------------------------------------------

REDIS_URL = env.str("REDIS_URL", default="")
TASKS_BACKEND = env.str("TASKS_BACKEND", default="rq" if REDIS_URL else "database")
if TASKS_BACKEND == "rq":
    INSTALLED_APPS.append("django_rq")
    TASKS = {"default": {"BACKEND": "django_tasks_rq.RQBackend", "QUEUES": ["default"]}}
    # Work has no time limit: the heartbeat on the job's own row tells a long job from a dead one.
    RQ_QUEUES = {"default": {"URL": REDIS_URL, "DEFAULT_TIMEOUT": -1}}
    RQ_SHOW_ADMIN_LINK = False
else:
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
JOBS_HEARTBEAT_SECONDS = env.float("JOBS_HEARTBEAT_SECONDS", default=2.0)
JOBS_STALE_SECONDS = env.float("JOBS_STALE_SECONDS", default=30.0)

# Of readers' pages (core/languages.py); everything else is English. See docs/translating.md.
LANGUAGE_CODE = "en-gb"
LANGUAGES = [
    ("en-gb", "English"),
    ("de", "Deutsch"),
    ("fr", "Français"),
    ("es", "Español"),
    ("zh-hans", "简体中文"),
]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = HTTPS
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

LOG_FORMAT = env.str("LOG_FORMAT", default="plain")
LOG_LEVEL = env.str("LOG_LEVEL", default="WARNING")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
        "json": {"()": "core.logs.Formatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {"waitress.queue": {"level": "ERROR"}},  # it warns of every request that waits for a thread
}
if LOG_FORMAT == "json":  # one line per request, and its id in the answer
    MIDDLEWARE.insert(0, "core.logs.RequestIds")
    LOGGING["loggers"] |= {
        "blindspot.requests": {"level": "INFO"},
        # Django's own server and handlers log an address with its query, which the line of the request does not.
        "django.request": {"level": "ERROR"},
        "django.server": {"level": "ERROR", "handlers": ["stderr"], "propagate": False},
    }
