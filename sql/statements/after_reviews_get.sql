-- One after-review. $1 id
-- -> body json
SELECT after_review_json(r) AS body FROM after_reviews r WHERE r.id = $1::bigint
