-- -> bool: somebody declared one
SELECT emergency FROM loop_status
