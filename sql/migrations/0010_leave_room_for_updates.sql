-- Each cycle updates the newest roll-ups and values of every series it heard.
-- With room in the page the update touches no index (HOT); measured with
-- 1,000 series: roll-ups 53 to 34 ms, latest values 8.5 to 2.8 ms a cycle.
ALTER TABLE rollups SET (fillfactor = 70);
ALTER TABLE series_latest SET (fillfactor = 50);
