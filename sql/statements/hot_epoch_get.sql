-- The present epoch of the hot tier. -> epoch int8
SELECT epoch FROM hot_epoch
