-- The id by which this database's archives are known. -> text
SELECT id::text FROM archive_home
