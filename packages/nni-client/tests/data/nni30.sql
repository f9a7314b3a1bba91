-- The record of an experiment of NNI 3.0, as NNI wrote it; all but the first and the last profile left out.
BEGIN TRANSACTION;
CREATE TABLE ExperimentProfile (
    params text,
    id text,
    execDuration integer,
    startTime integer,
    endTime integer,
    logDir text,
    nextSequenceId integer,
    revision integer);
INSERT INTO "ExperimentProfile" VALUES('{"experimentName":"an old one","experimentType":"hpo","searchSpace":{"lr":{"_type":"uniform","_value":[0.001,0.12]},"act":{"_type":"choice","_value":["relu","größer","none"]},"layer0":{"_type":"choice","_value":[{"_name":"Empty"},{"_name":"Conv","k":{"_type":"choice","_value":[1,2,3]}}]}},"trialCommand":"python3 trial.py","trialCodeDirectory":"/home/user/code","trialConcurrency":2,"maxTrialNumber":8,"useAnnotation":false,"debug":false,"logLevel":"info","experimentWorkingDirectory":"/home/user/nni-experiments","tuner":{"name":"Random","classArgs":{"seed":1}},"trainingService":{"platform":"local","trialCommand":"python3 trial.py","trialCodeDirectory":"/home/user/code","debug":false,"maxTrialNumberPerGpu":1,"reuseMode":false}}','oldnni30',0,1795653383604,NULL,'/home/user/nni-experiments/oldnni30',0,1);
INSERT INTO "ExperimentProfile" VALUES('{"experimentName":"an old one","experimentType":"hpo","searchSpace":{"lr":{"_type":"uniform","_value":[0.001,0.12]},"act":{"_type":"choice","_value":["relu","größer","none"]},"layer0":{"_type":"choice","_value":[{"_name":"Empty"},{"_name":"Conv","k":{"_type":"choice","_value":[1,2,3]}}]}},"trialCommand":"python3 trial.py","trialCodeDirectory":"/home/user/code","trialConcurrency":2,"maxTrialNumber":8,"useAnnotation":false,"debug":false,"logLevel":"info","experimentWorkingDirectory":"/home/user/nni-experiments","tuner":{"name":"Random","classArgs":{"seed":1}},"trainingService":{"platform":"local","trialCommand":"python3 trial.py","trialCodeDirectory":"/home/user/code","debug":false,"maxTrialNumberPerGpu":1,"reuseMode":false}}','oldnni30',14,1795653383604,1795653400431,'/home/user/nni-experiments/oldnni30',9,13);
CREATE TABLE MetricData (timestamp integer, trialJobId text, parameterId text, type text, sequence integer, data text);
INSERT INTO "MetricData" VALUES(1795653390815,'WGVZG',NULL,'PERIODICAL',0,'"{\"default\": 0.0, \"loss\": 1.0}"');
INSERT INTO "MetricData" VALUES(1795653390820,'WGVZG',NULL,'PERIODICAL',1,'"{\"default\": 0.2, \"loss\": 0.9}"');
INSERT INTO "MetricData" VALUES(1795653390824,'WGVZG',NULL,'PERIODICAL',2,'"{\"default\": 0.4, \"loss\": 0.8}"');
INSERT INTO "MetricData" VALUES(1795653390829,'WGVZG',NULL,'FINAL',0,'"{\"default\": 1.0, \"note\": \"gr\\u00f6\\u00dfer \\u2713\", \"loss\": 0.05}"');
INSERT INTO "MetricData" VALUES(1795653390933,'SCO9o','0','PERIODICAL',0,'"{\"default\": 0.0, \"loss\": 1.0}"');
INSERT INTO "MetricData" VALUES(1795653390943,'SCO9o','0','PERIODICAL',1,'"{\"default\": 0.1, \"loss\": 0.9}"');
INSERT INTO "MetricData" VALUES(1795653390952,'SCO9o','0','PERIODICAL',2,'"{\"default\": 0.2, \"loss\": 0.8}"');
INSERT INTO "MetricData" VALUES(1795653390965,'SCO9o','0','FINAL',0,'"NaN"');
INSERT INTO "MetricData" VALUES(1795653393325,'rJUem','1','PERIODICAL',0,'"{\"default\": 0.0, \"loss\": 1.0}"');
INSERT INTO "MetricData" VALUES(1795653393331,'rJUem','1','PERIODICAL',1,'"{\"default\": 0.0, \"loss\": 0.9}"');
INSERT INTO "MetricData" VALUES(1795653393334,'rJUem','1','PERIODICAL',2,'"{\"default\": 0.0, \"loss\": 0.8}"');
INSERT INTO "MetricData" VALUES(1795653393970,'a62ft','2','PERIODICAL',0,'"{\"default\": 0.0, \"loss\": 1.0}"');
INSERT INTO "MetricData" VALUES(1795653393980,'a62ft','2','PERIODICAL',1,'"{\"default\": 0.0, \"loss\": 0.9}"');
INSERT INTO "MetricData" VALUES(1795653393986,'a62ft','2','PERIODICAL',2,'"{\"default\": 0.0, \"loss\": 0.8}"');
INSERT INTO "MetricData" VALUES(1795653393995,'a62ft','2','FINAL',0,'"{\"default\": 0.0, \"note\": \"gr\\u00f6\\u00dfer \\u2713\", \"loss\": 0.0513758474277365}"');
INSERT INTO "MetricData" VALUES(1795653396428,'l5c4N','3','PERIODICAL',0,'"{\"default\": 0.0, \"loss\": 1.0}"');
INSERT INTO "MetricData" VALUES(1795653396432,'l5c4N','3','PERIODICAL',1,'"{\"default\": 0.2, \"loss\": 0.9}"');
INSERT INTO "MetricData" VALUES(1795653396436,'l5c4N','3','PERIODICAL',2,'"{\"default\": 0.4, \"loss\": 0.8}"');
INSERT INTO "MetricData" VALUES(1795653396440,'l5c4N','3','FINAL',0,'"NaN"');
INSERT INTO "MetricData" VALUES(1795653396929,'MkmIW','4','PERIODICAL',0,'"{\"default\": 0.0, \"loss\": 1.0}"');
INSERT INTO "MetricData" VALUES(1795653396938,'MkmIW','4','PERIODICAL',1,'"{\"default\": 0.30000000000000004, \"loss\": 0.9}"');
INSERT INTO "MetricData" VALUES(1795653396943,'MkmIW','4','PERIODICAL',2,'"{\"default\": 0.6000000000000001, \"loss\": 0.8}"');
INSERT INTO "MetricData" VALUES(1795653396956,'MkmIW','4','FINAL',0,'"NaN"');
INSERT INTO "MetricData" VALUES(1795653399110,'yqTvb','5','PERIODICAL',0,'"{\"default\": 0.0, \"loss\": 1.0}"');
INSERT INTO "MetricData" VALUES(1795653399118,'yqTvb','5','PERIODICAL',1,'"{\"default\": 0.0, \"loss\": 0.9}"');
INSERT INTO "MetricData" VALUES(1795653399124,'yqTvb','5','PERIODICAL',2,'"{\"default\": 0.0, \"loss\": 0.8}"');
INSERT INTO "MetricData" VALUES(1795653399132,'yqTvb','5','FINAL',0,'"{\"default\": 0.0, \"note\": \"gr\\u00f6\\u00dfer \\u2713\", \"loss\": 0.04023807426339197}"');
INSERT INTO "MetricData" VALUES(1795653399632,'GuaYO','6','PERIODICAL',0,'"{\"default\": 0.0, \"loss\": 1.0}"');
INSERT INTO "MetricData" VALUES(1795653399635,'GuaYO','6','PERIODICAL',1,'"{\"default\": 0.0, \"loss\": 0.9}"');
INSERT INTO "MetricData" VALUES(1795653399640,'GuaYO','6','PERIODICAL',2,'"{\"default\": 0.0, \"loss\": 0.8}"');
INSERT INTO "MetricData" VALUES(1795653399644,'GuaYO','6','FINAL',0,'"NaN"');
CREATE TABLE TrialJobEvent (
    timestamp integer,
    trialJobId text,
    event text,
    data text,
    logPath text,
    sequenceId integer,
    message text,
    environmentId text);
INSERT INTO "TrialJobEvent" VALUES(1795653383785,'','ADD_CUSTOMIZED','{"lr":0.05,"act":"relu","layer0":{"_name":"Conv","k":2}}',NULL,NULL,NULL,NULL);
INSERT INTO "TrialJobEvent" VALUES(1795653388179,'WGVZG','RUNNING','{"parameter_id":null,"parameter_source":"customized","parameters":{"lr":0.05,"act":"relu","layer0":{"_name":"Conv","k":2}}}','/home/user/nni-experiments/oldnni30/environments/local-env/trials/WGVZG',0,NULL,'local-env');
INSERT INTO "TrialJobEvent" VALUES(1795653388203,'SCO9o','RUNNING','{"parameter_id": 0, "parameter_source": "algorithm", "parameters": {"lr": 0.06190677333933055, "act": "none", "layer0": {"_name": "Conv", "k": 1}}, "parameter_index": 0}','/home/user/nni-experiments/oldnni30/environments/local-env/trials/SCO9o',1,NULL,'local-env');
INSERT INTO "TrialJobEvent" VALUES(1795653391193,'WGVZG','SUCCEEDED',NULL,'/home/user/nni-experiments/oldnni30/environments/local-env/trials/WGVZG',0,NULL,'local-env');
INSERT INTO "TrialJobEvent" VALUES(1795653391239,'rJUem','RUNNING','{"parameter_id": 1, "parameter_source": "algorithm", "parameters": {"lr": 0.11388928420933202, "act": "relu", "layer0": {"_name": "Empty"}}, "parameter_index": 0}','/home/user/nni-experiments/oldnni30/environments/local-env/trials/rJUem',2,NULL,'local-env');
INSERT INTO "TrialJobEvent" VALUES(1795653391547,'SCO9o','SUCCEEDED',NULL,'/home/user/nni-experiments/oldnni30/environments/local-env/trials/SCO9o',1,NULL,'local-env');
INSERT INTO "TrialJobEvent" VALUES(1795653391771,'a62ft','RUNNING','{"parameter_id": 2, "parameter_source": "algorithm", "parameters": {"lr": 0.0513758474277365, "act": "relu", "layer0": {"_name": "Empty"}}, "parameter_index": 0}','/home/user/nni-experiments/oldnni30/environments/local-env/trials/a62ft',3,NULL,'local-env');
INSERT INTO "TrialJobEvent" VALUES(1795653393828,'rJUem','FAILED',NULL,'/home/user/nni-experiments/oldnni30/environments/local-env/trials/rJUem',2,NULL,'local-env');
INSERT INTO "TrialJobEvent" VALUES(1795653394303,'l5c4N','RUNNING','{"parameter_id": 3, "parameter_source": "algorithm", "parameters": {"lr": 0.04969469722793019, "act": "none", "layer0": {"_name": "Conv", "k": 2}}, "parameter_index": 0}','/home/user/nni-experiments/oldnni30/environments/local-env/trials/l5c4N',4,NULL,'local-env');
INSERT INTO "TrialJobEvent" VALUES(1795653394570,'a62ft','SUCCEEDED',NULL,'/home/user/nni-experiments/oldnni30/environments/local-env/trials/a62ft',3,NULL,'local-env');
INSERT INTO "TrialJobEvent" VALUES(1795653394832,'MkmIW','RUNNING','{"parameter_id": 4, "parameter_source": "algorithm", "parameters": {"lr": 0.004279534475925136, "act": "none", "layer0": {"_name": "Conv", "k": 3}}, "parameter_index": 0}','/home/user/nni-experiments/oldnni30/environments/local-env/trials/MkmIW',5,NULL,'local-env');
INSERT INTO "TrialJobEvent" VALUES(1795653396838,'l5c4N','SUCCEEDED',NULL,'/home/user/nni-experiments/oldnni30/environments/local-env/trials/l5c4N',4,NULL,'local-env');
INSERT INTO "TrialJobEvent" VALUES(1795653396856,'yqTvb','RUNNING','{"parameter_id": 5, "parameter_source": "algorithm", "parameters": {"lr": 0.04023807426339197, "act": "gr\u00f6\u00dfer", "layer0": {"_name": "Empty"}}, "parameter_index": 0}','/home/user/nni-experiments/oldnni30/environments/local-env/trials/yqTvb',6,NULL,'local-env');
INSERT INTO "TrialJobEvent" VALUES(1795653397508,'MkmIW','SUCCEEDED',NULL,'/home/user/nni-experiments/oldnni30/environments/local-env/trials/MkmIW',5,NULL,'local-env');
INSERT INTO "TrialJobEvent" VALUES(1795653397901,'GuaYO','RUNNING','{"parameter_id": 6, "parameter_source": "algorithm", "parameters": {"lr": 0.03708018468570575, "act": "none", "layer0": {"_name": "Empty"}}, "parameter_index": 0}','/home/user/nni-experiments/oldnni30/environments/local-env/trials/GuaYO',7,NULL,'local-env');
INSERT INTO "TrialJobEvent" VALUES(1795653399581,'yqTvb','SUCCEEDED',NULL,'/home/user/nni-experiments/oldnni30/environments/local-env/trials/yqTvb',6,NULL,'local-env');
INSERT INTO "TrialJobEvent" VALUES(1795653400053,'GuaYO','SUCCEEDED',NULL,'/home/user/nni-experiments/oldnni30/environments/local-env/trials/GuaYO',7,NULL,'local-env');
CREATE INDEX TrialJobEvent_trialJobId on TrialJobEvent(trialJobId);
CREATE INDEX TrialJobEvent_event on TrialJobEvent(event);
CREATE INDEX MetricData_trialJobId on MetricData(trialJobId);
CREATE INDEX MetricData_type on MetricData(type);
CREATE INDEX ExperimentProfile_id on ExperimentProfile(id);
COMMIT;
