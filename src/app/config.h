/*
 * config: every setting, in one table: variable, type, bounds, default, unit,
 * secret. Read once from the environment (PENSTOCK_*); a setting marked
 * secret is also read from the file named by PENSTOCK_…_FILE.
 *
 * Runs on: C, at start. Frees: nothing; strings live as long as the process.
 * Errors: the first wrong or missing variable is named in `info`.
 */
#ifndef PENSTOCK_APP_CONFIG_H
#define PENSTOCK_APP_CONFIG_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* clang-format off */
/* member, type, variable, default (NULL: required; "" : may be empty),
 * min, max (number: value, text: length), unit, secret, about */
#define SETTINGS(X) \
	X(host, TEXT, "PENSTOCK_HOST", "127.0.0.1", 1, 63, "address", false, \
	    "Where to listen; anything but loopback is your decision") \
	X(port, NUMBER, "PENSTOCK_PORT", "8443", 1, 65535, "port", false, \
	    "Where HTTPS is served") \
	X(workers, NUMBER, "PENSTOCK_WORKERS", "2", 1, 32, "processes", false, \
	    "Worker processes; one per core") \
	X(tls_cert, TEXT, "PENSTOCK_TLS_CERT", NULL, 1, 4095, "path", false, \
	    "Certificate chain, PEM") \
	X(tls_key, TEXT, "PENSTOCK_TLS_KEY", NULL, 1, 4095, "path", false, \
	    "Private key, PEM, readable by the service's user alone") \
	X(tls_client_ca, TEXT, "PENSTOCK_TLS_CLIENT_CA", "", 0, 4095, "path", false, \
	    "Who signs certificates of devices, PEM; empty: devices send keys") \
	X(tls_ticket_life_s, NUMBER, "PENSTOCK_TLS_TICKET_LIFE", "7200", 10, 86400, "s", false, \
	    "Life of the keys of TLS session tickets") \
	X(database_url, TEXT, "PENSTOCK_DATABASE_URL", NULL, 1, 2000, "conninfo", true, \
	    "PostgreSQL, as libpq takes it; host as an address or a socket folder") \
	X(redis_socket, TEXT, "PENSTOCK_REDIS_SOCKET", "", 0, 100, "path", false, \
	    "Redis by unix socket; empty: by PENSTOCK_REDIS_HOST") \
	X(redis_host, TEXT, "PENSTOCK_REDIS_HOST", "127.0.0.1", 1, 63, "address", false, \
	    "Redis by address; names are looked up once at start") \
	X(redis_port, NUMBER, "PENSTOCK_REDIS_PORT", "6379", 1, 65535, "port", false, \
	    "Redis by address: its port") \
	X(jwt_secret, TEXT, "PENSTOCK_JWT_SECRET", NULL, 32, 2100, "bytes", true, \
	    "Keys of access tokens (HS256), one a line: the first signs, all verify") \
	X(jwt_issuer, TEXT, "PENSTOCK_JWT_ISSUER", "penstock", 1, 100, "text", false, \
	    "iss of our tokens") \
	X(jwt_audience, TEXT, "PENSTOCK_JWT_AUDIENCE", "penstock-api", 1, 100, "text", false, \
	    "aud of our tokens") \
	X(token_life_s, NUMBER, "PENSTOCK_TOKEN_LIFE", "900", 60, 86400, "s", false, \
	    "Life of an access token") \
	X(login_tries, NUMBER, "PENSTOCK_LOGIN_TRIES", "5", 1, 20, "tries", false, \
	    "Wrong passwords for one user from one address; then one a minute") \
	X(session_life_s, NUMBER, "PENSTOCK_SESSION_LIFE", "43200", 60, 7776000, "s", false, \
	    "How long a log-in can be refreshed, whatever is done") \
	X(session_idle_s, NUMBER, "PENSTOCK_SESSION_IDLE", "7200", 60, 7776000, "s", false, \
	    "How long after the last refresh it can be refreshed again") \
	X(idp_issuer, TEXT, "PENSTOCK_IDP_ISSUER", "", 0, 300, "text", false, \
	    "iss of a foreign identity provider's tokens; empty: none is taken") \
	X(idp_audience, TEXT, "PENSTOCK_IDP_AUDIENCE", "", 0, 300, "text", false, \
	    "What must be in aud of its tokens") \
	X(idp_keys, TEXT, "PENSTOCK_IDP_KEYS", "", 0, 1000, "url", false, \
	    "Its JWK set: https://... (jwks_uri) or the whole path of a file") \
	X(idp_ca, TEXT, "PENSTOCK_IDP_CA", "", 0, 4095, "path", false, \
	    "Certificates to trust for that URL; empty: the system's") \
	X(idp_role_claim, TEXT, "PENSTOCK_IDP_ROLE_CLAIM", "role", 1, 200, "text", false, \
	    "Claim with its role or roles; with a / in front an RFC 6901 pointer") \
	X(idp_roles, TEXT, "PENSTOCK_IDP_ROLES", \
	    "viewer=viewer,operator=operator,engineer=engineer,admin=admin", 1, 1200, \
	    "role=word,...", false, \
	    "Our role = its word for it; the highest that fits counts") \
	X(idp_zones_claim, TEXT, "PENSTOCK_IDP_ZONES_CLAIM", "zones", 1, 200, "text", false, \
	    "Claim with the zones its operators act in: codes, or * for all; as the role's") \
	X(idp_zones_absent, TEXT, "PENSTOCK_IDP_ZONES_ABSENT", "none", 3, 4, "none|all", false, \
	    "What an operator without that claim acts in") \
	X(idp_life_s, NUMBER, "PENSTOCK_IDP_LIFE", "86400", 60, 86400, "s", false, \
	    "Longest life of its tokens, from iat to exp; others are refused") \
	X(idp_refresh_s, NUMBER, "PENSTOCK_IDP_REFRESH", "300", 10, 86400, "s", false, \
	    "Time between two fetches of its keys") \
	X(loop_period_ms, NUMBER, "PENSTOCK_LOOP_PERIOD", "5000", 100, 3600000, "ms", false, \
	    "Time between two cycles of the loop") \
	X(gateway_timeout_ms, NUMBER, "PENSTOCK_GATEWAY_TIMEOUT", "2000", 100, 60000, "ms", false, \
	    "How long a field gateway may take to answer a command") \
	X(gateway_ca, TEXT, "PENSTOCK_GATEWAY_CA", "", 0, 4095, "path", false, \
	    "Certificates to trust for gateways by HTTPS; empty: the system's") \
	X(webhook_secret, TEXT, "PENSTOCK_WEBHOOK_SECRET", "", 0, 4000, "text", true, \
	    "Webhooks' secrets are derived from it, 32 bytes or more; empty: there are none") \
	X(webhook_nets, TEXT, "PENSTOCK_WEBHOOK_NETS", "", 0, 1000, "a.b.c.d/n,...", false, \
	    "Networks that are not public where webhooks may be, there also without TLS") \
	X(webhook_ca, TEXT, "PENSTOCK_WEBHOOK_CA", "", 0, 4095, "path", false, \
	    "Certificates to trust for webhooks; empty: the system's") \
	X(webhook_timeout_ms, NUMBER, "PENSTOCK_WEBHOOK_TIMEOUT", "10000", 100, 60000, "ms", false, \
	    "How long a webhook may take to answer") \
	X(webhook_life_s, NUMBER, "PENSTOCK_WEBHOOK_LIFE", "86400", 1, 604800, "s", false, \
	    "How long an event is tried to be delivered; then it is a dead letter") \
	X(events_keep_s, NUMBER, "PENSTOCK_EVENTS_KEEP", "604800", 3600, 31622400, "s", false, \
	    "How long events, and with them deliveries, are kept; at most a million") \
	X(gateway_secret, TEXT, "PENSTOCK_GATEWAY_SECRET", "", 0, 4000, "text", true, \
	    "Gateways' secrets are derived from it, 32 bytes or more; empty: nothing is signed") \
	X(gateway_nets, TEXT, "PENSTOCK_GATEWAY_NETS", "", 0, 1000, "a.b.c.d/n,...", false, \
	    "Networks that are not public where gateways may be, there also without TLS") \
	X(broker, TEXT, "PENSTOCK_GATEWAY_BROKER", "", 0, 255, "host", false, \
	    "The MQTT broker that is told the user and password below; no other is") \
	X(broker_user, TEXT, "PENSTOCK_GATEWAY_BROKER_USER", "", 0, 255, "text", false, \
	    "Who we are to that broker; empty: nobody") \
	X(broker_password, TEXT, "PENSTOCK_GATEWAY_BROKER_PASSWORD", "", 0, 1000, "text", true, \
	    "The password of that user") \
	X(gateway_ask_s, NUMBER, "PENSTOCK_GATEWAY_ASK", "300", 1, 86400, "s", false, \
	    "How long after its not-after a gateway is asked what became of a command") \
	X(low_risk_unasked, NUMBER, "PENSTOCK_LOW_RISK_UNASKED", "0", 0, 1, "0 or 1", false, \
	    "1: plans of low risk run without anybody's asking (policy:low-risk)") \
	X(unusual_a_week, NUMBER, "PENSTOCK_UNUSUAL_A_WEEK", "7", 0, 10000, "alarms a week", false, \
	    "False alarms to bear with, of all series together; 0: nothing unusual is looked for") \
	X(systems_a_week, NUMBER, "PENSTOCK_SYSTEMS_A_WEEK", "3", 0, 10000, "alarms a week", false, \
	    "False alarms to bear with, of all zones that are judged jointly; 0: what was learnt alone says") \
	X(batch_max, NUMBER, "PENSTOCK_BATCH_MAX", "5000", 1, 5000, "readings", false, \
	    "Most readings in one POST") \
	X(future_s, NUMBER, "PENSTOCK_FUTURE", "300", 0, 3600, "s", false, \
	    "How far ahead of our clock a reading may be") \
	X(series_max, NUMBER, "PENSTOCK_SERIES_MAX", "200000", 100, 10000000, "series", false, \
	    "Room for last-seen times in shared memory, 8 bytes each") \
	X(queue_max, NUMBER, "PENSTOCK_QUEUE_MAX", "200000", 5000, 5000000, "readings", false, \
	    "Readings per worker that may wait for their commit; then 503") \
	X(row_max, NUMBER, "PENSTOCK_ROW_MAX", "20000", 5000, 100000, "readings", false, \
	    "Most readings in one log row") \
	X(rows_in_flight, NUMBER, "PENSTOCK_ROWS_IN_FLIGHT", "1", 1, 16, "rows", false, \
	    "Log rows on the wire at once, per worker") \
	X(header_max, NUMBER, "PENSTOCK_HEADER_MAX", "8192", 1024, 16384, "bytes", false, \
	    "Request line and header fields together") \
	X(body_max, NUMBER, "PENSTOCK_BODY_MAX", "8388608", 65536, 16777216, "bytes", false, \
	    "Largest request body; routes may allow less") \
	X(connections_max, NUMBER, "PENSTOCK_CONNECTIONS_MAX", "2048", 16, 30000, "connections", false, \
	    "Open connections per worker") \
	X(address_max, NUMBER, "PENSTOCK_CONNECTIONS_PER_ADDRESS", "1000", 0, 1000000, "connections", false, \
	    "Open connections of one address (IPv6: of one /64), over all workers; 0: any number") \
	X(keepalive_s, NUMBER, "PENSTOCK_KEEPALIVE", "60", 1, 3600, "s", false, \
	    "Idle time before a connection is closed") \
	X(header_timeout_s, NUMBER, "PENSTOCK_HEADER_TIMEOUT", "10", 1, 60, "s", false, \
	    "A request's header must be complete within") \
	X(body_timeout_s, NUMBER, "PENSTOCK_BODY_TIMEOUT", "60", 1, 600, "s", false, \
	    "A request's body must be complete within") \
	X(proxies, TEXT, "PENSTOCK_PROXIES", "", 0, 1500, "CIDR,...", false, \
	    "Proxies that are believed whom a request is from; empty: none") \
	X(proxy_field, TEXT, "PENSTOCK_PROXY_FIELD", "x-forwarded-for", 9, 15, "x-forwarded-for|forwarded", false, \
	    "The field in which they say so; the other one is not read") \
	X(limit_login, TEXT, "PENSTOCK_LIMIT_LOGIN", "60/60", 1, 20, "requests/s", false, \
	    "Right passwords of one user: so many at once, regained evenly in so many seconds; 0: any number") \
	X(limit_change, TEXT, "PENSTOCK_LIMIT_CHANGE", "3000/60", 1, 20, "requests/s", false, \
	    "Changes by one user or key") \
	X(limit_read, TEXT, "PENSTOCK_LIMIT_READ", "6000/60", 1, 20, "requests/s", false, \
	    "Reads by one user or key") \
	X(limit_ingest, TEXT, "PENSTOCK_LIMIT_INGEST", "12000/60", 1, 20, "requests/s", false, \
	    "POSTs of readings and parts of imports by one user or key") \
	X(limit_address_login, TEXT, "PENSTOCK_LIMIT_ADDRESS_LOGIN", "300/60", 1, 20, "requests/s", false, \
	    "Log-ins and refreshes from one address (IPv6: one /64)") \
	X(limit_address_change, TEXT, "PENSTOCK_LIMIT_ADDRESS_CHANGE", "6000/60", 1, 20, "requests/s", false, \
	    "Changes from one address") \
	X(limit_address_read, TEXT, "PENSTOCK_LIMIT_ADDRESS_READ", "30000/60", 1, 20, "requests/s", false, \
	    "Reads from one address") \
	X(limit_address_ingest, TEXT, "PENSTOCK_LIMIT_ADDRESS_INGEST", "60000/60", 1, 20, "requests/s", false, \
	    "POSTs of readings from one address") \
	X(shed_lag_ms, NUMBER, "PENSTOCK_SHED_LAG", "500", 50, 60000, "ms", false, \
	    "A worker whose loop is so late refuses readings; at four times that, viewers' reads") \
	X(zone, TEXT, "PENSTOCK_ZONE", "UTC", 1, 60, "zone", false, \
	    "Time zone that the network lives by, as PostgreSQL names it: Europe/Berlin") \
	X(fit_at, TEXT, "PENSTOCK_FIT_AT", "02:00", 3, 5, "hh:mm|off", false, \
	    "When in that zone forecasts and their models are made; off: never") \
	X(fit_budget_s, NUMBER, "PENSTOCK_FIT_BUDGET", "14400", 10, 82800, "s", false, \
	    "How long after that it may be at it; what is left goes first next night") \
	X(listeners_max, NUMBER, "PENSTOCK_LISTENERS_MAX", "1000", 1, 20000, "listeners", false, \
	    "Who may listen to events at once, per worker") \
	X(listeners_person_max, NUMBER, "PENSTOCK_LISTENERS_PER_USER", "20", 1, 20000, "listeners", false, \
	    "How often one user may listen at once, per worker") \
	X(heartbeat_ms, NUMBER, "PENSTOCK_HEARTBEAT", "15000", 500, 60000, "ms", false, \
	    "A listener who hears nothing for so long is told that he still listens") \
	X(drain_ms, NUMBER, "PENSTOCK_DRAIN", "8000", 100, 120000, "ms", false, \
	    "On stop, requests in flight may take this long") \
	X(archive_dir, TEXT, "PENSTOCK_ARCHIVE_DIR", "", 0, 3000, "path", false, \
	    "Folder of archived readings; empty: the bucket, if one is set") \
	X(s3_endpoint, TEXT, "PENSTOCK_S3_ENDPOINT", "", 0, 500, "url", false, \
	    "S3-compatible server of archived readings, addressed path style") \
	X(s3_bucket, TEXT, "PENSTOCK_S3_BUCKET", "", 0, 100, "name", false, \
	    "Its bucket; of this database alone") \
	X(s3_region, TEXT, "PENSTOCK_S3_REGION", "us-east-1", 1, 60, "name", false, \
	    "Region that requests are signed for") \
	X(s3_access_key, TEXT, "PENSTOCK_S3_ACCESS_KEY", "", 0, 200, "text", false, \
	    "Who signs; may read, penstock-archive also write") \
	X(s3_secret_key, TEXT, "PENSTOCK_S3_SECRET_KEY", "", 0, 500, "text", true, \
	    "The key to sign with") \
	X(s3_ca, TEXT, "PENSTOCK_S3_CA", "", 0, 4095, "path", false, \
	    "Certificates to trust for the S3 server; empty: the system's") \
	X(cors_origin, TEXT, "PENSTOCK_CORS_ORIGIN", "", 0, 1000, "origins", false, \
	    "Foreign origins a browser may call from, with blanks between; empty: none") \
	X(log_level, TEXT, "PENSTOCK_LOG_LEVEL", "info", 4, 5, "debug|info|warn|error", false, \
	    "Least level that is logged") \
	X(log_file, TEXT, "PENSTOCK_LOG_FILE", "", 0, 4095, "path", false, \
	    "Also log to this file, opened at start")
/* clang-format on */

#define SETTING_TEXT(member)   const char *member;
#define SETTING_NUMBER(member) int64_t member;
struct config {
#define X(member, type, ...) SETTING_##type(member)
	SETTINGS(X)
#undef X
};
#undef SETTING_TEXT
#undef SETTING_NUMBER

struct setting {
	const char *variable, *fallback, *unit, *about;
	bool number, secret;
	double min, max;
};

extern const struct setting settings[];
extern const size_t nsettings;

/* The secret of that variable as it is now; the caller wipes and frees it. */
enum err config_secret(const char *variable, char *(*getenv_fn)(const char *),
    char **ret, struct err_info *);
/* `getenv_fn` is getenv(3), or a test's. */
enum err config_load(
    struct config *ret, char *(*getenv_fn)(const char *), struct err_info *);

#endif
