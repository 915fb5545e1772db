#include "domain/reading.h"

const char *
quality_name(int quality)
{
	return (quality == QUALITY_GOOD ? "good" : "suspect");
}
