-- -> paused bool
SELECT paused FROM loop_status
