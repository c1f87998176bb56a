BEGIN TRANSACTION;
CREATE TABLE addresses (
	replica VARCHAR(255) NOT NULL,
	addresses TEXT NOT NULL,
	CONSTRAINT pk_addresses PRIMARY KEY (replica)
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE installed_releases (
	number INTEGER NOT NULL,
	digest VARCHAR(255) NOT NULL,
	version VARCHAR(255) NOT NULL,
	instances TEXT NOT NULL,
	settings TEXT NOT NULL,
	point VARCHAR(255),
	at VARCHAR(255) NOT NULL,
	CONSTRAINT pk_installed_releases PRIMARY KEY (number)
);
INSERT INTO "installed_releases" VALUES(1,'sha256:a4d451ec23463726f72c43d64c710968f6b602cd653b4de8adee1b556240a829','1.0.0','[{"fingerprint":"","placements":[{"address":"10.97.0.4","container":"acme-web-1","replica":1}],"release":"sha256:a4d451ec23463726f72c43d64c710968f6b602cd653b4de8adee1b556240a829","unit":"web","version":"1.0.0"}]','{"secrets":{"pw":{"fingerprint":"abababababababababababababababababababababababababababababababab","version":1}},"values":{"host":"acme.internal"}}',NULL,'2026-01-02T03:04:05.000678+00:00');
CREATE TABLE journal (
	number INTEGER NOT NULL,
	operation VARCHAR(255) NOT NULL,
	step TEXT NOT NULL,
	direction VARCHAR(255) NOT NULL,
	event VARCHAR(255) NOT NULL,
	record TEXT,
	error TEXT,
	at VARCHAR(255) NOT NULL,
	previous VARCHAR(255) NOT NULL,
	hash VARCHAR(255) NOT NULL,
	CONSTRAINT pk_journal PRIMARY KEY (number),
	CONSTRAINT fk_journal_operation FOREIGN KEY(operation) REFERENCES operations (id)
);
INSERT INTO "journal" VALUES(1,'op-1','{"kind":"load-release","number":1}','do','intent',NULL,NULL,'2026-01-02T03:04:05.000678+00:00','0000000000000000000000000000000000000000000000000000000000000000','745eedbb93d62ac16c68ad8adbb939c4956991790143ac011bd5c8fc4131b7ef');
INSERT INTO "journal" VALUES(2,'op-1','{"kind":"load-release","number":1}','do','done',NULL,NULL,'2026-01-02T03:04:05.000678+00:00','745eedbb93d62ac16c68ad8adbb939c4956991790143ac011bd5c8fc4131b7ef','5611010189347d52bc0f9529054ef8b585c6415ba10f94f18bbd4e0df1f0bdf8');
CREATE TABLE loaded_releases (
	digest VARCHAR(255) NOT NULL,
	product VARCHAR(255) NOT NULL,
	channel VARCHAR(255) NOT NULL,
	version VARCHAR(255) NOT NULL,
	sequence INTEGER NOT NULL,
	loaded_at VARCHAR(255) NOT NULL,
	CONSTRAINT pk_loaded_releases PRIMARY KEY (digest)
);
CREATE TABLE lock_breaks (
	number INTEGER NOT NULL,
	held TEXT NOT NULL,
	reason TEXT NOT NULL,
	at VARCHAR(255) NOT NULL,
	CONSTRAINT pk_lock_breaks PRIMARY KEY (number)
);
CREATE TABLE operations (
	number INTEGER NOT NULL,
	id VARCHAR(255) NOT NULL,
	verb VARCHAR(255) NOT NULL,
	"plan" TEXT NOT NULL,
	direction VARCHAR(255) NOT NULL,
	state VARCHAR(255) NOT NULL,
	cause TEXT,
	fence INTEGER NOT NULL,
	opened_at VARCHAR(255) NOT NULL,
	CONSTRAINT pk_operations PRIMARY KEY (number),
	CONSTRAINT uq_operations_id UNIQUE (id)
);
INSERT INTO "operations" VALUES(1,'op-1','upgrade','{"addresses":{},"hops":[{"steps":[{"kind":"record-point","point":"p-1","release":"sha256:a4d451ec23463726f72c43d64c710968f6b602cd653b4de8adee1b556240a829","running":[{"fingerprint":"","placements":[{"address":"10.97.0.4","container":"acme-web-1","replica":1}],"release":"sha256:a4d451ec23463726f72c43d64c710968f6b602cd653b4de8adee1b556240a829","unit":"web","version":"1.0.0"}],"v":1},{"database":"console","kind":"back-up","point":"p-1","release":"sha256:a4d451ec23463726f72c43d64c710968f6b602cd653b4de8adee1b556240a829","v":1},{"former":null,"kind":"roll","replace":"rolling","role":"app","to":{"fingerprint":"","placements":[{"address":"10.97.0.4","container":"acme-web-1","replica":1}],"release":"sha256:a4d451ec23463726f72c43d64c710968f6b602cd653b4de8adee1b556240a829","unit":"web","version":"1.0.0"},"v":1}],"to":"sha256:a4d451ec23463726f72c43d64c710968f6b602cd653b4de8adee1b556240a829","version":"1.0.0","why":"asked for"}],"schema":1,"settings":{"sha256:a4d451ec23463726f72c43d64c710968f6b602cd653b4de8adee1b556240a829":{"secrets":{"pw":{"fingerprint":"abababababababababababababababababababababababababababababababab","version":1}},"values":{"host":"acme.internal"}}},"site":"acme","stage":[{"kind":"load-release","release":"sha256:a4d451ec23463726f72c43d64c710968f6b602cd653b4de8adee1b556240a829","v":1,"version":"1.0.0"},{"kind":"check-site","releases":["sha256:a4d451ec23463726f72c43d64c710968f6b602cd653b4de8adee1b556240a829"],"v":1}],"start":null,"start_version":null,"target_id":"engine","verb":"upgrade"}','do','done',NULL,1,'2026-01-02T03:04:05.000678+00:00');
CREATE TABLE points (
	number INTEGER NOT NULL,
	id VARCHAR(255) NOT NULL,
	document TEXT NOT NULL,
	CONSTRAINT pk_points PRIMARY KEY (number),
	CONSTRAINT uq_points_id UNIQUE (id)
);
INSERT INTO "points" VALUES(1,'p-1','{"backups":{"console":{"path":"points/p-1/console.dump","sha256":"sha256:a4d451ec23463726f72c43d64c710968f6b602cd653b4de8adee1b556240a829","size_bytes":1}},"id":"p-1","made_at":"2026-01-02T03:04:05.000678Z","operation":"op-1","release":"sha256:a4d451ec23463726f72c43d64c710968f6b602cd653b4de8adee1b556240a829","revisions":{"console":["0001"]},"running":[{"fingerprint":"","placements":[{"address":"10.97.0.4","container":"acme-web-1","replica":1}],"release":"sha256:a4d451ec23463726f72c43d64c710968f6b602cd653b4de8adee1b556240a829","unit":"web","version":"1.0.0"}],"settings":{"secrets":{"pw":{"fingerprint":"abababababababababababababababababababababababababababababababab","version":1}},"values":{"host":"acme.internal"}},"version":"1.0.0"}');
CREATE TABLE roots (
	product VARCHAR(255) NOT NULL,
	raw BLOB NOT NULL,
	CONSTRAINT pk_roots PRIMARY KEY (product)
);
INSERT INTO "roots" VALUES('acme',X'726F6F74');
CREATE TABLE site_lock (
	number INTEGER NOT NULL,
	fence INTEGER NOT NULL,
	held TEXT,
	CONSTRAINT pk_site_lock PRIMARY KEY (number)
);
CREATE INDEX ix_journal_operation ON journal (operation);
COMMIT;
PRAGMA user_version=1;
