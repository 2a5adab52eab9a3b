-- A store as version 1 of its schema left it, after adding four files and removing one.
BEGIN TRANSACTION;
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    first INTEGER NOT NULL, last INTEGER NOT NULL, page INTEGER, heading TEXT NOT NULL, prefix TEXT NOT NULL,
    text TEXT NOT NULL, vector BLOB NOT NULL
);
INSERT INTO "chunks" VALUES(1,1,0,3,1,'','','one',X'000000000000803F0000004000004040');
INSERT INTO "chunks" VALUES(2,1,4,7,1,'','','two',X'000080400000A0400000C0400000E040');
INSERT INTO "chunks" VALUES(5,3,0,5,1,'','','three',X'000000000000803F0000004000004040');
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT, sha256 TEXT NOT NULL, media_type TEXT NOT NULL, text TEXT NOT NULL,
    pages TEXT NOT NULL, headings TEXT NOT NULL, added TEXT NOT NULL, UNIQUE (sha256, media_type)
);
INSERT INTO "documents" VALUES(1,'8ab63e29a4ba14e4e1688f9c15e5af90895421358c945b0431f85d66977bd3d2','text/plain','one two','[[1, 0, 7]]','[]','2026-11-26T11:24:06+00:00');
INSERT INTO "documents" VALUES(3,'8b5b9db0c13db24256c829aa364aa90c6d2eba318b9232a4ab9313b954d3555f','text/plain','three','[[1, 0, 5]]','[]','2026-11-26T11:24:06+00:00');
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('chunking','size 200');
INSERT INTO "meta" VALUES('created','2026-11-26T11:24:06+00:00');
INSERT INTO "meta" VALUES('embedder','model@1');
INSERT INTO "meta" VALUES('generation','5');
INSERT INTO "meta" VALUES('uuid','75c49768d65545a39393971c7e4627e9');
CREATE TABLE names (
    name TEXT PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE
) WITHOUT ROWID;
INSERT INTO "names" VALUES('a.txt',1);
INSERT INTO "names" VALUES('copy.txt',3);
INSERT INTO "names" VALUES('notes/c.txt',3);
CREATE INDEX names_document ON names (document);
CREATE INDEX chunks_document ON chunks (document);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('documents',3);
INSERT INTO "sqlite_sequence" VALUES('chunks',5);
COMMIT;
PRAGMA user_version = 1;
