#include "field/judge.h"

#include "domain/plan.h"
#include "field/answer.h"

#include <stdio.h>
#include <string.h>

#define WORD_MOST   40
#define DETAIL_MOST 120

static const struct {
	const char *word;
	enum gateway_outcome outcome;
} words[] = {
    {"executed", GATEWAY_EXECUTED},
    {"accepted", GATEWAY_ACCEPTED},
    {"refused", GATEWAY_REFUSED},
    {"failed", GATEWAY_REFUSED},
    {"expired", GATEWAY_EXPIRED},
};

static bool
is_about(const char *json, size_t len, const struct command *c)
{
	char key[WORD_MOST];

	if (answer_word(json, len, "idempotency_key", key, sizeof(key)))
		return (strcmp(key, c->key) == 0);
	return (!c->ask);
}

bool
judge_answer(const char *json, size_t len, const struct command *c, bool whole,
    struct gateway_reply *r)
{
	char word[WORD_MOST], detail[DETAIL_MOST];
	size_t i;

	if (!answer_word(json, len, "status", word, sizeof(word)) || !whole) {
		(void)snprintf(r->detail, sizeof(r->detail),
		    "the answer (status %d) does not say what became of it",
		    r->http_status);
		return (false);
	}
	if (!is_about(json, len, c)) {
		(void)snprintf(r->detail, sizeof(r->detail),
		    "the answer is about another command");
		return (false);
	}
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(word, words[i].word) != 0)
			continue;
		r->outcome = words[i].outcome;
		if (r->outcome == GATEWAY_REFUSED &&
		    answer_word(json, len, "detail", detail, sizeof(detail)))
			(void)snprintf(r->detail, sizeof(r->detail), "%s: %s",
			    word, detail);
		return (true);
	}
	(void)snprintf(r->detail, sizeof(r->detail),
	    "\"%s\" is no end of a command", word);
	return (false);
}
