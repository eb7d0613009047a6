#include "auth-worker/auth_config.h"

#include "auth-worker/database.h"
#include "auth-worker/key_files.h"
#include "auth-worker/password.h"

static const char *const registration_words[] = {
    [REGISTRATION_OPEN] = "open", [REGISTRATION_CLOSED] = "closed", NULL};

/* A path, or a key's name and a path. */
static bool is_key_file(str_t entry) {
    const char *equals = memchr(entry.p, '=', entry.n);
    if (!equals)
        return entry.n > 0;
    size_t kid_n = (size_t)(equals - entry.p);
    return kid_n <= JWS_KID_MAX_BYTES && kid_n + 1 < entry.n;
}

static const config_option_t options[] = {
    {CONFIG_FIELD(auth_config_t, database_url), .variable = "DATABASE_URL", .kind = CONFIG_SECRET,
     .required = true, .min = 1, .max = 2000, .check = database_url_is_valid,
     .allowed = "a postgresql:// URL or name=value parameters",
     .doc = "The database: a direct connection or a pooler in session mode."},
    {CONFIG_FIELD(auth_config_t, jwt_secret), .variable = "JWT_SECRET", .kind = CONFIG_SECRET,
     .min = KEYS_SECRET_MIN_BYTES, .max = KEYS_SECRET_MAX_BYTES,
     .doc = "Secret for HS256 tokens; 32 random bytes or more are safe."},
    {CONFIG_FIELD(auth_config_t, jwt_secrets_file), .variable = "JWT_SECRETS_FILE",
     .kind = CONFIG_STRING, .min = 1, .max = 4096,
     .doc = "File of lines `kid secret` for HS256; the first signs. Read again when it changes."},
    {CONFIG_FIELD(auth_config_t, jwt_public_keys), .variable = "JWT_PUBLIC_KEYS",
     .kind = CONFIG_LIST, .max = KEY_FILES_PUBLIC_MAX, .check = is_key_file,
     .allowed = "files as path or kid=path",
     .doc = "PEM files of public keys: RSA for RS256, EC on P-256 for ES256."},
    {CONFIG_FIELD(auth_config_t, jwks_file), .variable = "JWKS_FILE", .kind = CONFIG_STRING,
     .min = 1, .max = 4096, .doc = "JSON Web Key Set of public keys. Read again when it changes."},
    {CONFIG_FIELD(auth_config_t, jwt_issuer), .variable = "JWT_ISSUER", .kind = CONFIG_STRING,
     .min = 1, .max = 256, .doc = "What the claim iss must be. Unset: not looked at."},
    {CONFIG_FIELD(auth_config_t, jwt_audience), .variable = "JWT_AUDIENCE", .kind = CONFIG_STRING,
     .min = 1, .max = 256, .doc = "What the claim aud must contain. Unset: not looked at."},
    {CONFIG_FIELD(auth_config_t, token_ttl_ms), .variable = "TOKEN_TTL_SECONDS",
     .kind = CONFIG_SECONDS, .min = 1, .max = 31536000, .fallback = "86400",
     .doc = "How long tokens are valid that are issued here."},
    {CONFIG_FIELD(auth_config_t, registration), .variable = "REGISTRATION", .kind = CONFIG_WORD,
     .fallback = "open", .words = registration_words,
     .doc = "Whether anybody may make a user with a password."},
    {CONFIG_FIELD(auth_config_t, rate_limit), .variable = "RATE_LIMIT", .kind = CONFIG_BOOL,
     .fallback = "on", .doc = "off: no limits on attempts to log in or register."},
    {CONFIG_FIELD(auth_config_t, login_attempts_per_account),
     .variable = "LOGIN_ATTEMPTS_PER_ACCOUNT", .kind = CONFIG_U64, .min = 1, .max = 1000000,
     .fallback = "10", .doc = "Wrong passwords a minute for one user, and at once."},
    {CONFIG_FIELD(auth_config_t, login_attempts_per_address),
     .variable = "LOGIN_ATTEMPTS_PER_ADDRESS", .kind = CONFIG_U64, .min = 1, .max = 1000000,
     .fallback = "100", .doc = "Wrong passwords a minute from one address, and at once."},
    {CONFIG_FIELD(auth_config_t, registrations_per_address),
     .variable = "REGISTRATIONS_PER_ADDRESS", .kind = CONFIG_U64, .min = 1, .max = 1000000,
     .fallback = "300", .doc = "Registrations a minute from one address, and at once."},
    {CONFIG_FIELD(auth_config_t, attempts_remembered), .variable = "ATTEMPTS_REMEMBERED",
     .kind = CONFIG_U64, .min = 1, .max = 10000000, .fallback = "100000",
     .doc = "Users, and addresses, whose attempts are counted at once."},
    {CONFIG_FIELD(auth_config_t, password_memory_kib), .variable = "PASSWORD_MEMORY_KIB",
     .kind = CONFIG_U64, .min = 8192, .max = 1048576, .fallback = "19456",
     .doc = "Memory that Argon2id takes for one password."},
    {CONFIG_FIELD(auth_config_t, password_passes), .variable = "PASSWORD_PASSES",
     .kind = CONFIG_U64, .min = 1, .max = PASSWORD_PASSES_MAX, .fallback = "2",
     .doc = "How often Argon2id goes over that memory."},
    {CONFIG_FIELD(auth_config_t, password_threads), .variable = "PASSWORD_THREADS",
     .kind = CONFIG_U64, .min = 1, .max = PASSWORD_THREADS_MAX, .fallback = "2",
     .doc = "Passwords checked at once."},
    {CONFIG_FIELD(auth_config_t, password_queue), .variable = "PASSWORD_QUEUE", .kind = CONFIG_U64,
     .min = 1, .max = 10000, .fallback = "64",
     .doc = "Passwords that wait to be checked; further ones are told to try again."},
};

static bool is_set(const char *text) {
    return text && text[0];
}

static void check(const void *config, strbuf_t *errors) {
    const auth_config_t *auth = config;
    if (!is_set(auth->jwt_secret) && !is_set(auth->jwt_secrets_file) &&
        auth->jwt_public_keys.n == 0 && !is_set(auth->jwks_file))
        strbuf_append(errors, STR("no keys for tokens: set JWT_SECRET, JWT_SECRETS_FILE, "
                                  "JWT_PUBLIC_KEYS or JWKS_FILE\n"));
}

const config_schema_t auth_config_schema = {
    .service = "auth-worker",
    .summary = "Checks and issues tokens, and keeps the passwords of those who register.",
    .admin_listen = "127.0.0.1:5031",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .size = sizeof(auth_config_t),
    .check = check,
};
