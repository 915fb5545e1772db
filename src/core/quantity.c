#include "core/quantity.h"

#include <string.h>

/* Exact by definition: inch, foot, pound-force, standard gravity, US and
 * imperial gallon (NIST SP 811 appendix B.8). */
#define GAL_M3	0.003785411784
#define IGAL_M3 0.00454609
#define FT3_M3	0.028316846592
#define G_KPA	9.80665 /* of one metre of water at 1000 kg/m3 */
#define PSI_KPA 6.894757293168361

/* clang-format off */
static const struct unit table[] = {
	/* flow */
	{"m3/h",   "m3/h", 1, 0},
	{"m\xc2\xb3/h", "m3/h", 1, 0},
	{"L/s",    "m3/h", 3.6, 0},
	{"l/s",    "m3/h", 3.6, 0},
	{"L/min",  "m3/h", 0.06, 0},
	{"L/h",    "m3/h", 0.001, 0},
	{"m3/s",   "m3/h", 3600, 0},
	{"m3/min", "m3/h", 60, 0},
	{"m3/d",   "m3/h", 1 / 24.0, 0},
	{"ML/d",   "m3/h", 1000 / 24.0, 0},
	{"gpm",    "m3/h", GAL_M3 * 60, 0},
	{"MGD",    "m3/h", GAL_M3 * 1e6 / 24, 0},
	{"IMGD",   "m3/h", IGAL_M3 * 1e6 / 24, 0},
	{"ft3/s",  "m3/h", FT3_M3 * 3600, 0},
	/* volume */
	{"m3",     "m3", 1, 0},
	{"m\xc2\xb3", "m3", 1, 0},
	{"L",      "m3", 0.001, 0},
	{"l",      "m3", 0.001, 0},
	{"ML",     "m3", 1000, 0},
	{"gal",    "m3", GAL_M3, 0},
	{"ft3",    "m3", FT3_M3, 0},
	/* pressure head and level */
	{"m",      "m", 1, 0},
	{"cm",     "m", 0.01, 0},
	{"mm",     "m", 0.001, 0},
	{"ft",     "m", 0.3048, 0},
	{"mH2O",   "m", 1, 0},
	{"bar",    "m", 100 / G_KPA, 0},
	{"mbar",   "m", 0.1 / G_KPA, 0},
	{"Pa",     "m", 0.001 / G_KPA, 0},
	{"kPa",    "m", 1 / G_KPA, 0},
	{"MPa",    "m", 1000 / G_KPA, 0},
	{"psi",    "m", PSI_KPA / G_KPA, 0},
	/* temperature */
	{"degC",   "degC", 1, 0},
	{"\xc2\xb0""C", "degC", 1, 0},
	{"degF",   "degC", 5 / 9.0, -160 / 9.0},
	{"\xc2\xb0""F", "degC", 5 / 9.0, -160 / 9.0},
	{"K",      "degC", 1, -273.15},
	/* water quality */
	{"mg/L",   "mg/L", 1, 0},
	{"mg/l",   "mg/L", 1, 0},
	{"ug/L",   "mg/L", 0.001, 0},
	{"g/m3",   "mg/L", 1, 0},
	{"NTU",    "NTU", 1, 0},
	{"FNU",    "FNU", 1, 0},
	{"uS/cm",  "uS/cm", 1, 0},
	{"\xc2\xb5S/cm", "uS/cm", 1, 0}, /* U+00B5 */
	{"\xce\xbcS/cm", "uS/cm", 1, 0}, /* U+03BC */
	{"mS/cm",  "uS/cm", 1000, 0},
	{"mS/m",   "uS/cm", 10, 0},
	{"S/m",    "uS/cm", 10000, 0},
	{"mV",     "mV", 1, 0},
	{"V",      "mV", 1000, 0},
	/* machines */
	{"mm/s",   "mm/s", 1, 0},
	{"in/s",   "mm/s", 25.4, 0},
	{"kW",     "kW", 1, 0},
	{"W",      "kW", 0.001, 0},
	{"MW",     "kW", 1000, 0},
	{"%",      "%", 1, 0},
	{"1",      "1", 1, 0},
	{"pH",     "1", 1, 0},
};
/* clang-format on */

const struct unit *
unit_at(size_t i)
{
	return (i < sizeof(table) / sizeof(table[0]) ? &table[i] : NULL);
}

const struct unit *
unit_find(const char *code, size_t len)
{
	const struct unit *u;
	size_t i;

	for (i = 0; (u = unit_at(i)) != NULL; i++)
		if (strlen(u->code) == len && memcmp(u->code, code, len) == 0)
			return (u);
	return (NULL);
}

bool
unit_converts(const struct unit *from, const char *canonical)
{
	return (strcmp(from->canonical, canonical) == 0);
}

double
unit_to_canonical(const struct unit *from, double value)
{
	return (value * from->factor + from->offset);
}
