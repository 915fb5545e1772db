-- What alarms ask of the people. $1 from timestamptz or NULL, $2 to or NULL
-- -> body json
SELECT alarm_figures($1::timestamptz, $2::timestamptz) AS body
