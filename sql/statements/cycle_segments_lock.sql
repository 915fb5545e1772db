-- Nobody else writes segments, roll-ups or latest values from here to the end
-- of the transaction.
SELECT segments_lock()
