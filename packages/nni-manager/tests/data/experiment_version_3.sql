PRAGMA application_id = 1313753396;
PRAGMA user_version = 3;
BEGIN TRANSACTION;
CREATE TABLE experiment (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    experiment_id TEXT NOT NULL,
    status TEXT NOT NULL,
    optimize_mode TEXT NOT NULL,
    created_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    running_seconds REAL NOT NULL,
    running_since REAL,
    end_reason TEXT,
    errors TEXT NOT NULL,
    next_sequence_number INTEGER NOT NULL,
    next_parameter_id INTEGER NOT NULL,
    create_request_id TEXT NOT NULL,
    revision INTEGER NOT NULL
, paused INTEGER NOT NULL DEFAULT 0, initial_count INTEGER NOT NULL DEFAULT 0, import_request_ids TEXT NOT NULL DEFAULT '[]');
INSERT INTO "experiment" VALUES(1,'old12345','RUNNING','maximize',1000.0,1001.0,NULL,0.0,1001.0,NULL,'[]',4,4,'request',1,0,0,'[]');
CREATE TABLE experiment_config (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    config TEXT NOT NULL
);
INSERT INTO "experiment_config" VALUES(1,'{"trialConcurrency":2,"searchSpace":{"x":{"_type":"uniform","_value":[0,1]}}}');
CREATE TABLE experiment_origin (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    origin TEXT NOT NULL,
    warnings TEXT NOT NULL
);
INSERT INTO "experiment_origin" VALUES(1,'["c0ffee",false,"hash",{"python":"3.11"},7]','["the code changed"]');
CREATE TABLE metric_entries (
    metric_row INTEGER NOT NULL,
    key TEXT NOT NULL,
    value REAL,
    kind TEXT NOT NULL,
    PRIMARY KEY (metric_row, key)
) WITHOUT ROWID;
INSERT INTO "metric_entries" VALUES(1,'default',0.1,'number');
INSERT INTO "metric_entries" VALUES(2,'default',0.2,'number');
INSERT INTO "metric_entries" VALUES(2,'loss',NULL,'nan');
INSERT INTO "metric_entries" VALUES(3,'default',0.3,'number');
INSERT INTO "metric_entries" VALUES(4,'default',0.5,'number');
CREATE TABLE metrics (
    row INTEGER PRIMARY KEY,
    trial_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    kind TEXT NOT NULL,
    metric_index INTEGER NOT NULL,
    value TEXT NOT NULL,
    reported_at REAL NOT NULL,
    late INTEGER NOT NULL,
    revision INTEGER NOT NULL
);
INSERT INTO "metrics" VALUES(1,'t0',0,'INTERMEDIATE',0,'0.1',1005.0,0,3);
INSERT INTO "metrics" VALUES(2,'t0',0,'INTERMEDIATE',1,'{"default":0.2,"loss":NaN}',1005.0,0,3);
INSERT INTO "metrics" VALUES(3,'t0',0,'FINAL',0,'0.3',1005.0,0,3);
INSERT INTO "metrics" VALUES(4,'t1',0,'INTERMEDIATE',0,'0.5',1005.0,0,3);
CREATE TABLE report_files (
    trial_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    end_offset INTEGER NOT NULL,
    PRIMARY KEY (trial_id, attempt)
) WITHOUT ROWID;
INSERT INTO "report_files" VALUES('t0',0,90);
INSERT INTO "report_files" VALUES('t1',0,30);
CREATE TABLE reporters (
    trial_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    reporter TEXT NOT NULL,
    highest_number INTEGER NOT NULL,
    PRIMARY KEY (trial_id, attempt, reporter)
) WITHOUT ROWID;
INSERT INTO "reporters" VALUES('t0',0,'1-a',2);
INSERT INTO "reporters" VALUES('t1',0,'2-b',0);
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL
, committed_at REAL);
INSERT INTO "state" VALUES(1,4,1010.0);
CREATE TABLE trial_counts (
    status TEXT PRIMARY KEY,
    trials INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "trial_counts" VALUES('RUNNING',1);
INSERT INTO "trial_counts" VALUES('SUCCEEDED',1);
INSERT INTO "trial_counts" VALUES('WAITING',2);
CREATE TABLE trial_results (
    trial_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    intermediate_count INTEGER NOT NULL,
    final_count INTEGER NOT NULL,
    latest_intermediate_index INTEGER NOT NULL,
    latest_intermediate_row INTEGER NOT NULL,
    PRIMARY KEY (trial_id, attempt)
) WITHOUT ROWID;
INSERT INTO "trial_results" VALUES('t0',0,2,1,1,2);
INSERT INTO "trial_results" VALUES('t1',0,1,0,0,4);
CREATE TABLE trials (
    sequence_number INTEGER PRIMARY KEY,
    trial_id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    parameter_id INTEGER,
    parameter_source TEXT NOT NULL,
    parameters TEXT NOT NULL,
    created_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    end_reason TEXT,
    waiting_reason TEXT NOT NULL,
    has_final_result INTEGER NOT NULL,
    final_result TEXT NOT NULL,
    objective REAL,
    revision INTEGER NOT NULL
, submitted INTEGER NOT NULL DEFAULT 0, cancel_reason TEXT, earlier_ends TEXT NOT NULL DEFAULT '[]', create_request_id TEXT NOT NULL DEFAULT '');
INSERT INTO "trials" VALUES(0,'t0','SUCCEEDED',0,0,'ALGORITHM','{"x":0.0}',1002.0,1004.0,1010.0,'["TRIAL","finished",0,null,""]','',1,'0.3',0.3,4,1,NULL,'[]','');
INSERT INTO "trials" VALUES(1,'t1','RUNNING',0,1,'ALGORITHM','{"x":0.25}',1003.0,1004.0,NULL,NULL,'',0,'null',NULL,3,1,NULL,'[]','');
INSERT INTO "trials" VALUES(2,'t2','WAITING',0,2,'ALGORITHM','{"x":0.5}',1004.0,NULL,NULL,NULL,'its process is being started',0,'null',NULL,4,1,NULL,'[]','');
INSERT INTO "trials" VALUES(3,'t3','WAITING',0,3,'ALGORITHM','{"x":0.75}',1005.0,NULL,NULL,NULL,'every slot is taken (trial_concurrency is 2)',0,'null',NULL,4,0,NULL,'[]','');
CREATE TABLE tuner_notes (
    row INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    number INTEGER NOT NULL,
    parameter_ids TEXT NOT NULL,
    trial_id TEXT NOT NULL,
    data TEXT,
    revision INTEGER NOT NULL
);
INSERT INTO "tuner_notes" VALUES(1,'ASKED',1,'[0]','',NULL,4);
INSERT INTO "tuner_notes" VALUES(2,'PROPOSED',0,'[0]','t0',NULL,4);
INSERT INTO "tuner_notes" VALUES(3,'ASKED',3,'[1]','',NULL,4);
INSERT INTO "tuner_notes" VALUES(4,'PROPOSED',0,'[1]','t1',NULL,4);
INSERT INTO "tuner_notes" VALUES(5,'ASKED',5,'[2]','',NULL,4);
INSERT INTO "tuner_notes" VALUES(6,'PROPOSED',0,'[2]','t2',NULL,4);
INSERT INTO "tuner_notes" VALUES(7,'ASKED',7,'[3]','',NULL,4);
INSERT INTO "tuner_notes" VALUES(8,'PROPOSED',0,'[3]','t3',NULL,4);
INSERT INTO "tuner_notes" VALUES(9,'FINAL_RESULT',9,'[]','t0',NULL,4);
INSERT INTO "tuner_notes" VALUES(10,'TRIAL_END',10,'[]','t0',NULL,4);
CREATE INDEX trials_by_revision ON trials (revision);
CREATE INDEX trials_by_status ON trials (status);
CREATE INDEX trials_by_objective ON trials (objective)
    WHERE status = 'SUCCEEDED' AND objective IS NOT NULL;
CREATE INDEX metrics_by_trial ON metrics (trial_id);
CREATE INDEX metrics_by_revision ON metrics (revision);
CREATE INDEX final_metrics ON metrics (row) WHERE kind = 'FINAL';
CREATE INDEX final_metrics_by_trial ON metrics (trial_id) WHERE kind = 'FINAL';
CREATE INDEX trials_by_request ON trials (create_request_id) WHERE create_request_id <> '';
COMMIT;
