#include "edge/ticket.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#define KEYS	 3 /* in use, the one before, the next one being made */
#define NAME_LEN 16

struct ticket_key {
	unsigned char name[NAME_LEN], cipher[32], mac[32];
};

static struct shared {
	_Atomic unsigned current; /* number of keys made; index modulo KEYS */
	_Atomic int64_t due_us;
	struct ticket_key keys[KEYS];
} * shared;

static unsigned life_s;

bool
ticket_open(unsigned life, int64_t now_us)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED)
		return (false);
	/* All of them: a slot of zeros would be a key that anybody knows. */
	if (RAND_bytes((unsigned char *)s->keys, sizeof(s->keys)) != 1) {
		(void)munmap(s, sizeof(*s));
		return (false);
	}
	life_s = life;
	s->due_us = now_us + (int64_t)life * 1000000;
	shared = s;
	return (true);
}

void
ticket_tick(int64_t now_us)
{
	int64_t due = atomic_load(&shared->due_us);
	unsigned next = atomic_load(&shared->current) + 1;
	struct ticket_key key;

	if (now_us < due || RAND_bytes((unsigned char *)&key, sizeof(key)) != 1)
		return;
	/* One worker makes it; if it dies here, the next life brings one. */
	if (!atomic_compare_exchange_strong(
		&shared->due_us, &due, now_us + (int64_t)life_s * 1000000))
		return;
	shared->keys[next % KEYS] = key;
	atomic_store(&shared->current, next);
	OPENSSL_cleanse(&key, sizeof(key));
}

static bool
start_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_octet_string(
		OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
	    OSSL_PARAM_construct_utf8_string(
		OSSL_MAC_PARAM_DIGEST, digest, sizeof(digest) - 1),
	    OSSL_PARAM_construct_end(),
	};

	return (EVP_MAC_CTX_set_params(mac, params) == 1);
}

static int
write_ticket(unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac)
{
	struct ticket_key *key =
	    &shared->keys[atomic_load(&shared->current) % KEYS];

	if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1 ||
	    EVP_EncryptInit_ex(
		cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv) != 1 ||
	    !start_mac(mac, key))
		return (-1);
	memcpy(name, key->name, NAME_LEN);
	return (1);
}

/* What OpenSSL wants: 2 gives the client a new one. In TLS 1.3 a ticket is good
 * for one use (RFC 8446 appendix C.4), and without a new one the client hears
 * nothing on its Finished but an ACK, which may take 40 ms. */
static int
good(const SSL *ssl, unsigned age)
{
	return (age == 0 && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2);
}

static int
read_ticket(SSL *ssl, const unsigned char *name, const unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	unsigned current = atomic_load(&shared->current);
	unsigned age; /* of the key, in lives */
	struct ticket_key *key = NULL;

	for (age = 0; age < 2; age++) {
		/* KEYS is added since numbers wrap around below zero. */
		key = &shared->keys[(current + KEYS - age) % KEYS];
		if (memcmp(name, key->name, NAME_LEN) == 0)
			break;
	}
	if (age == 2)
		return (0); /* a whole handshake */
	if (EVP_DecryptInit_ex(
		cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv) != 1 ||
	    !start_mac(mac, key))
		return (-1);
	return (good(ssl, age));
}

static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int writing)
{
	return (writing ? write_ticket(name, iv, cipher, mac)
			: read_ticket(ssl, name, iv, cipher, mac));
}

bool
ticket_use(SSL_CTX *ctx)
{
	/* As long as its key is about, at most; the key ends it. */
	(void)SSL_CTX_set_timeout(ctx, 2 * (long)life_s);
	return (SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1);
}
