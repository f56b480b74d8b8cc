-- A ledger as the first version of the tables made it: five transactions, one of which corrects another.
PRAGMA application_id = 1098206311;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE accounts (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL
    ) STRICT
    ;
INSERT INTO "accounts" VALUES(1,'asset:clearing:sandbox','asset');
INSERT INTO "accounts" VALUES(2,'income:api_services:api_services-001','income');
INSERT INTO "accounts" VALUES(3,'income:api_services:api_services-002','income');
INSERT INTO "accounts" VALUES(4,'asset:a','asset');
INSERT INTO "accounts" VALUES(5,'cost:fees','cost');
INSERT INTO "accounts" VALUES(6,'income:x','income');
CREATE TABLE balances (
        origin INTEGER NOT NULL REFERENCES origins (id),
        account INTEGER NOT NULL REFERENCES accounts (id),
        asset TEXT NOT NULL,
        state TEXT NOT NULL,
        day TEXT NOT NULL,
        units INTEGER NOT NULL,
        PRIMARY KEY (origin, account, asset, state, day)
    ) STRICT, WITHOUT ROWID
    ;
INSERT INTO "balances" VALUES(1,1,'USD','posted','2026-01-31',0);
INSERT INTO "balances" VALUES(1,2,'USD','posted','2026-01-31',0);
INSERT INTO "balances" VALUES(1,4,'BTC','posted','2026-01-31',5);
INSERT INTO "balances" VALUES(1,5,'BTC','posted','2026-01-31',1);
INSERT INTO "balances" VALUES(1,6,'BTC','posted','2026-01-31',-6);
INSERT INTO "balances" VALUES(2,1,'USD','posted','2026-01-31',2000);
INSERT INTO "balances" VALUES(2,3,'USD','posted','2026-01-31',-2000);
INSERT INTO "balances" VALUES(3,1,'USD','posted','2026-01-31',2000);
INSERT INTO "balances" VALUES(3,2,'USD','posted','2026-01-31',-2000);
CREATE TABLE evidence (
        sequence INTEGER PRIMARY KEY REFERENCES transactions (sequence),
        artefact BLOB NOT NULL
    ) STRICT
    ;
INSERT INTO "evidence" VALUES(1,X'7B2276616C6964223A20747275652C202263616C6C223A20317D');
INSERT INTO "evidence" VALUES(2,X'7B2276616C6964223A20747275652C202263616C6C223A20327D');
INSERT INTO "evidence" VALUES(3,X'7B2276616C6964223A20747275652C202263616C6C223A20337D');
INSERT INTO "evidence" VALUES(4,X'7B2276616C6964223A20747275652C202263616C6C223A20347D');
INSERT INTO "evidence" VALUES(5,X'7B2276616C6964223A20747275652C202263616C6C223A20357D');
CREATE TABLE meters (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    ;
INSERT INTO "meters" VALUES('calls:ak_1:2026-01',4);
CREATE TABLE origins (
        id INTEGER PRIMARY KEY,
        book TEXT NOT NULL,
        stream TEXT NOT NULL,
        instance TEXT NOT NULL,
        UNIQUE (book, stream, instance)
    ) STRICT
    ;
INSERT INTO "origins" VALUES(1,'paper','api_services','api_services-001');
INSERT INTO "origins" VALUES(2,'paper','api_services','api_services-002');
INSERT INTO "origins" VALUES(3,'live','api_services','api_services-001');
CREATE TABLE postings (
        sequence INTEGER NOT NULL REFERENCES transactions (sequence),
        n INTEGER NOT NULL,
        account INTEGER NOT NULL REFERENCES accounts (id),
        asset TEXT NOT NULL,
        units INTEGER NOT NULL,
        PRIMARY KEY (sequence, n)
    ) STRICT, WITHOUT ROWID
    ;
INSERT INTO "postings" VALUES(1,0,1,'USD',2000);
INSERT INTO "postings" VALUES(1,1,2,'USD',-2000);
INSERT INTO "postings" VALUES(2,0,1,'USD',2000);
INSERT INTO "postings" VALUES(2,1,3,'USD',-2000);
INSERT INTO "postings" VALUES(3,0,1,'USD',2000);
INSERT INTO "postings" VALUES(3,1,2,'USD',-2000);
INSERT INTO "postings" VALUES(4,0,2,'USD',2000);
INSERT INTO "postings" VALUES(4,1,1,'USD',-2000);
INSERT INTO "postings" VALUES(5,0,4,'BTC',5);
INSERT INTO "postings" VALUES(5,1,5,'BTC',1);
INSERT INTO "postings" VALUES(5,2,6,'BTC',-6);
CREATE TABLE transactions (
        sequence INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE,
        origin INTEGER NOT NULL REFERENCES origins (id),
        key TEXT NOT NULL,
        kind TEXT NOT NULL,
        state TEXT NOT NULL,
        occurred_at INTEGER NOT NULL,
        booked_at INTEGER NOT NULL,
        memo TEXT NOT NULL,
        corrects BLOB REFERENCES transactions (id),
        reason TEXT,
        evidence_kind TEXT NOT NULL,
        evidence_external_id TEXT NOT NULL,
        evidence_digest BLOB NOT NULL,
        meters TEXT,
        body_digest BLOB NOT NULL,
        hash BLOB NOT NULL
    ) STRICT
    ;
INSERT INTO "transactions" VALUES(1,X'B10C95D68108204C8521E3D57C41C31E',1,'call:api_services-001:1','api.call','posted',1769860801000000,1795623251473813,'',NULL,NULL,'api.response','req-1',X'D584BA9C38FF66B845A5559D55C26E4EBFBD72BA594A6456026D58AB9BEFECEF','[["calls:ak_1:2026-01",1]]',X'49F17B20DB1578E7D59A1982EABCB7BC37D309F868C1887028672E306E3F9618',X'EC724B6C3FD6420554121535D3366C45121B068D762D6B6B21C138009A938145');
INSERT INTO "transactions" VALUES(2,X'C103995233A7F4083E21946A077A3E06',2,'call:api_services-002:2','api.call','posted',1769860802000000,1795623251474847,'',NULL,NULL,'api.response','req-2',X'604943B48F0CD65E9AFAA030417C1B5F8115E9FF7F48E90A4424B8B998D0AD07',NULL,X'1E51FE918E4D302487444BE173C3A6DE16D22FE51EC0FADEC39C1605EBE2B288',X'6293BE1EA08AED5863B56F8D1A3BA92A238AF5DCB17E2F816DD2B6A7A32A4D62');
INSERT INTO "transactions" VALUES(3,X'51EBAFFED5CB73D4A7BE432981959B0F',3,'call:api_services-001:3','api.call','posted',1769860803000000,1795623251475788,'Größe',NULL,NULL,'api.response','req-3',X'2DE588CE26FC5F62043F0ABA1D9877858C81C8F90A02E3DEF91FBACB43F1C8B3','[["calls:ak_1:2026-01",1]]',X'EC3F3169DB1486E263DE90A768989BA70FEE9FEE7E96EAE202144D16ECA498E0',X'527A87C285A1971E130F734E1726F4796EBEBA326F51F0B05131F697FB7FEBC0');
INSERT INTO "transactions" VALUES(4,X'08E1B59AE823745020EB539F3DBE5F21',1,'call:api_services-001:4','api.call','posted',1769860804000000,1795623251476736,'',X'B10C95D68108204C8521E3D57C41C31E','charged twice','api.response','req-4',X'E2BB286BE3A78BE6F24D6C757797F6074FD37A64B21A891DABB422D08B679BF9','[["calls:ak_1:2026-01",1]]',X'FC943CD417C9CCFA751F890A73D50909287B97B66B60A00FB9EAA319F57E7E0A',X'513DB31DCE7BA67FCCE048EDC2091F6E9EE013FBC8C2B1120514A5FDFA2AAAD4');
INSERT INTO "transactions" VALUES(5,X'B12BD1A21CEAAFFB39FFB4818993E9AA',1,'call:api_services-001:5','api.call','posted',1769860805000000,1795623251477427,'',NULL,NULL,'api.response','req-5',X'9BFA1B85244E6A9D73E594866402416308D021D6E3A37D2C22941B39E1A63B02','[["calls:ak_1:2026-01",1]]',X'6E5B482A3C95B360700A94FB82C80E72A4A73262FB8BE5664E026E42E968D611',X'6FDB4E17CD421DE3DA50C745334E16BDD1CE3390C13D7CE2E1D5F95B3BC00E6E');
CREATE INDEX transactions_by_origin ON transactions (origin);
CREATE TRIGGER accounts_no_update BEFORE UPDATE ON accounts
        BEGIN SELECT RAISE(ABORT, 'accounts are never changed: book a correction'); END;
CREATE TRIGGER accounts_no_delete BEFORE DELETE ON accounts
        BEGIN SELECT RAISE(ABORT, 'accounts are never changed: book a correction'); END;
CREATE TRIGGER origins_no_update BEFORE UPDATE ON origins
        BEGIN SELECT RAISE(ABORT, 'origins are never changed: book a correction'); END;
CREATE TRIGGER origins_no_delete BEFORE DELETE ON origins
        BEGIN SELECT RAISE(ABORT, 'origins are never changed: book a correction'); END;
CREATE TRIGGER transactions_no_update BEFORE UPDATE ON transactions
        BEGIN SELECT RAISE(ABORT, 'transactions are never changed: book a correction'); END;
CREATE TRIGGER transactions_no_delete BEFORE DELETE ON transactions
        BEGIN SELECT RAISE(ABORT, 'transactions are never changed: book a correction'); END;
CREATE TRIGGER postings_no_update BEFORE UPDATE ON postings
        BEGIN SELECT RAISE(ABORT, 'postings are never changed: book a correction'); END;
CREATE TRIGGER postings_no_delete BEFORE DELETE ON postings
        BEGIN SELECT RAISE(ABORT, 'postings are never changed: book a correction'); END;
CREATE TRIGGER evidence_no_update BEFORE UPDATE ON evidence
        BEGIN SELECT RAISE(ABORT, 'evidence are never changed: book a correction'); END;
CREATE TRIGGER evidence_no_delete BEFORE DELETE ON evidence
        BEGIN SELECT RAISE(ABORT, 'evidence are never changed: book a correction'); END;
COMMIT;
