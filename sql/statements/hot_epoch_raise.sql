-- A new epoch above all that were, also above what Redis has seen.
-- $1 int8 epoch that Redis holds, 0 if none -> epoch int8
UPDATE hot_epoch SET epoch = greatest(epoch, $1::int8) + 1 RETURNING epoch
