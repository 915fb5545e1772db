-- Where a listener begins. $1 text who, $2 text zones (codes with commas, '*'
-- or NULL) -> newest id, ids of zones with commas or NULL for all
SELECT newest, zones FROM events_begin($1::text, $2::text)
