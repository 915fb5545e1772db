-- The limit that an area's inflow left as its open leak was told; NULL: it was
-- told before this was kept.
ALTER TABLE leak_states ADD band float8;
