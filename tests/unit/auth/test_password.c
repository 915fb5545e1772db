/* NIST SP 800-63B section 5.1.1.2: length counts, and what is guessed first
 * is refused. */
#include "auth/password.h"
#include "auth/password_rules.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *password, *username;
	enum err want;
} rows[] = {
    {"correct horse battery", "anna", ERR_OK},
    {"                     v", "anna", ERR_INVALID},
    {"k7 pWz fQ2xLm", "anna", ERR_OK},
    {"kkkk jjjj qqqq zzzz wwww vvvv", "anna", ERR_OK},
    {"l'acqua è poca e la papera non galleggia", "anna", ERR_OK},
    /* Twelve characters, not bytes; each of them counts. */
    {"\xc3\xa8\xc3\xb2\xc3\xa0\xc3\xb9\xc3\xac\xc3\xa9\xc3\xb6\xc3\xbc\xc3"
     "\xa4\xc3\x9f\xc3\xb1\xc3\xa7",
	"anna", ERR_OK},
    {"\xc3\xa8\xc3\xb2\xc3\xa0\xc3\xb9\xc3\xac\xc3\xa9\xc3\xb6\xc3\xbc\xc3"
     "\xa4\xc3\x9f\xc3\xb1",
	"anna", ERR_INVALID},
    {"k7pWzfQ2xLm", "anna", ERR_INVALID},
    /* Common words, with what people add to them. */
    {"Password2024!", "anna", ERR_INVALID},
    {"P@ssw0rd1234", "anna", ERR_INVALID},
    {"passwordpassword", "anna", ERR_INVALID},
    {"Welcome_2026!!", "anna", ERR_INVALID},
    {"Sunshine-Monkey-1", "anna", ERR_INVALID},
    {"Sunshine-Monkey-brevity-chalk", "anna", ERR_OK},
    {"correcthorsebatterystaple", "anna", ERR_INVALID},
    {"1q2w3e4r5t6y", "anna", ERR_INVALID},
    /* Repetitions and runs. */
    {"aaaaaaaaaaaaaaaa", "anna", ERR_INVALID},
    {"abcdefghijklmnop", "anna", ERR_INVALID},
    {"123456789012345", "anna", ERR_INVALID},
    {"QWERTZUIOPASDFGH", "anna", ERR_INVALID},
    {"x7Kqx7Kqx7Kqx7Kq", "anna", ERR_INVALID},
    {"x7Kqvn2x7Kqvn2", "anna", ERR_OK},
    /* The user's name and the service's. */
    {"brevity Rossi chalk 7", "anna.rossi", ERR_INVALID},
    {"brevity r0ss1 chalk 7", "anna.rossi", ERR_INVALID},
    {"brevity bo chalk seven", "bo", ERR_OK},
    {"brevity chalk penstock", "anna", ERR_INVALID},
    {"brevity chalk P3NST0CK", "anna", ERR_INVALID},
};

Test(password_rules, table)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err_info info = {.code = ERR_OK};

		cr_expect_eq(password_check(rows[i].password, rows[i].username,
				 "/password", &info),
		    rows[i].want, "%s: %s", rows[i].password, info.detail);
		if (rows[i].want != ERR_OK)
			cr_expect_str_eq(info.pointer, "/password");
		cr_expect_null(strstr(info.detail, rows[i].password));
	}
}

Test(password_rules, up_to_the_longest)
{
	char big[4 * PASSWORD_MAX + 5] = "";
	char hash[PASSWORD_HASH];
	size_t i;

	for (i = 0; i < PASSWORD_MAX; i++) /* U+10000 and on, four bytes each */
		(void)snprintf(big + 4 * i, 5, "\xf0\x90%c%c",
		    (int)(0x80 + i % 61), (int)(0x80 + i * 7 % 59));
	cr_expect_eq(password_check(big, "anna", "", NULL), ERR_OK);
	cr_expect_eq(password_hash(big, hash, NULL), ERR_OK);
	cr_expect(password_verify(hash, big));
	strncat(big, "x", sizeof(big) - strlen(big) - 1);
	cr_expect_eq(password_check(big, "anna", "", NULL), ERR_INVALID);
	cr_expect_eq(password_hash(big, hash, NULL), ERR_INVALID);
	cr_expect_not(password_verify(hash, big));
}

/* What the programs make by themselves is never refused. */
Test(password_rules, random_ones_are_taken)
{
	char text[PASSWORD_RANDOM];

	for (int i = 0; i < 1000; i++) {
		password_random(text);
		cr_expect_eq(password_check(text, "admin", "", NULL), ERR_OK,
		    "%s", text);
	}
}
