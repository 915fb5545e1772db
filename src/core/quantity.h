/*
 * quantity: the units this house knows, and the one conversion table.
 *
 * Runs on: C. canonical = value * factor + offset. Canonical units inside:
 * flow m3/h, volume m3, pressure m (of water, gauge), level m, temperature
 * degC, chlorine mg/L, turbidity NTU (FNU is another instrument: never
 * converted), conductivity uS/cm, vibration mm/s, status and pH 1.
 * Factors: 1 L/s = 3.6 m3/h; 1 US gpm = 0.227125 m3/h; 1 US MGD = 3785.41
 * m3/d; 1 bar = 10.197162 m; 1 psi = 0.703070 m; 1 m = 9.80665 kPa
 * (BIPM SI brochure 9th ed.; NIST SP 811 appendix B).
 */
#ifndef PENSTOCK_CORE_QUANTITY_H
#define PENSTOCK_CORE_QUANTITY_H

#include <stdbool.h>
#include <stddef.h>

struct unit {
	const char *code;      /* "L/s" */
	const char *canonical; /* "m3/h" */
	double factor, offset;
};

/* NULL if unknown. Codes are compared exactly. */
const struct unit *unit_find(const char *code, size_t len);
/* True if a value in `from` can be had in canonical unit `canonical`. */
bool unit_converts(const struct unit *from, const char *canonical);
double unit_to_canonical(const struct unit *from, double value);
/* Walks the table; NULL past its end. */
const struct unit *unit_at(size_t i);

#endif
