/*
 * controls_json: the rules of a network file (model/controls.h) as JSON, for
 * the API, which knows no models.
 *
 * Runs on: C. Frees: the caller's text. Units: levels in m. Errors: a line
 * that is no such rule is passed over.
 */
#ifndef PENSTOCK_APP_CONTROLS_JSON_H
#define PENSTOCK_APP_CONTROLS_JSON_H

#include "core/err.h"
#include "core/text.h"

/* [{link, open, node, above, level}] */
enum err
controls_json(const char *inp, size_t len, struct text *ret, struct err_info *);

#endif
