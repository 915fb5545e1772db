#include "app/logsink.h"

#include "core/err.h"
#include "core/log.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

Test(logsink, a_reader_that_stands_still_does_not_stop_us, .timeout = 10)
{
	static char text[1 << 20];
	struct err_info info = {.code = ERR_OK};
	int ends[2], i;
	ssize_t n;

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
	cr_assert_eq(logsink_open("info", "", &info), ERR_OK);
	for (i = 0; i < 20000; i++)
		log_event(
		    LOG_LEVEL_INFO, "line", "n", LOG_INT, (int64_t)i, NULL);
	n = read(ends[0], text, sizeof(text) - 1);
	cr_assert_gt(n, 1000);
	cr_expect_eq(text[n - 1], '\n', "a line was cut");
	/* It goes on as soon as somebody reads. */
	log_event(LOG_LEVEL_INFO, "again", NULL);
	n = read(ends[0], text, sizeof(text) - 1);
	cr_assert_gt(n, 0);
	text[n] = '\0';
	cr_expect_not_null(strstr(text, "again"));
}
