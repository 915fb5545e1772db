/*
 * memory: the detectors' states of all series, kept between cycles as long as
 * every cycle commits, loaded when missing and saved when changed.
 *
 * Runs on: C. Frees: memory_done(). Errors: those of the port, ERR_NO_MEMORY.
 */
#ifndef PENSTOCK_MAPE_MEMORY_H
#define PENSTOCK_MAPE_MEMORY_H

#include "core/ports.h"
#include "domain/series_state.h"

struct memory {
	struct series_state *states; /* rising by series */
	bool *changed;		     /* [n] since the last save */
	size_t n;
};

void memory_done(struct memory *);
/* All of `ids` (rising) are there afterwards; pointers from memory_find()
 * before are not valid any more. */
enum err memory_need(struct memory *, const struct knowledge_port *,
    struct arena *, const int32_t *ids, size_t n, struct err_info *);
/* NULL if it was never asked for. */
struct series_state *memory_find(const struct memory *, int32_t series);
void memory_change(struct memory *, const struct series_state *);
enum err memory_save(struct memory *, const struct knowledge_port *,
    struct arena *, struct err_info *);

#endif
