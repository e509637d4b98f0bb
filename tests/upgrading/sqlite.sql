CREATE TABLE "superoffice_hooks_changedfield" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "entity" varchar(100) NOT NULL,
    "name" varchar(128) NOT NULL,
    CONSTRAINT "superoffice_changedfield_once" UNIQUE ("entity", "name")
);
CREATE TABLE "superoffice_hooks_changeset" (
    "id" bigint NOT NULL PRIMARY KEY
);
CREATE TABLE "superoffice_hooks_changeset_fields" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "changeset_id" bigint NOT NULL REFERENCES "superoffice_hooks_changeset" ("id") DEFERRABLE INITIALLY DEFERRED,
    "changedfield_id" bigint NOT NULL REFERENCES "superoffice_hooks_changedfield" ("id") DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE "superoffice_hooks_event" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "payload" text NOT NULL CHECK ((JSON_VALID("payload") OR "payload" IS NULL)),
    "status" varchar(10) NOT NULL,
    "attempts" smallint unsigned NOT NULL CHECK ("attempts" >= 0),
    "next_attempt_at" datetime NULL,
    "claimed_until" datetime NULL,
    "finished_at" datetime NULL,
    "handled_by" varchar(255) NOT NULL,
    "handled_why" text NOT NULL,
    "entity" varchar(100) NOT NULL,
    "primary_key" bigint NULL,
    "tenant" varchar(100) NOT NULL,
    "occurred_at" datetime NULL,
    "received_at" datetime NOT NULL,
    "endpoint" varchar(50) NOT NULL,
    "event_id" char(32) NOT NULL,
    "name" varchar(100) NOT NULL,
    "action" varchar(100) NOT NULL,
    "associate_id" bigint NULL,
    "is_own" bool NOT NULL,
    "webhook_name" varchar(255) NOT NULL,
    "body" BLOB NOT NULL,
    "headers" text NOT NULL CHECK ((JSON_VALID("headers") OR "headers" IS NULL)),
    "remote_addr" char(39) NULL,
    "problems" text NOT NULL CHECK ((JSON_VALID("problems") OR "problems" IS NULL)),
    "pruned_at" datetime NULL,
    "change_set_id" bigint NULL REFERENCES "superoffice_hooks_changeset" ("id") DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT "superoffice_event_once" UNIQUE ("event_id", "name", "endpoint")
);
CREATE TABLE "superoffice_hooks_redelivery" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "received_at" datetime NOT NULL,
    "retry" smallint unsigned NULL CHECK ("retry" >= 0),
    "webhook_name" varchar(255) NOT NULL,
    "body" BLOB NULL,
    "event_id" bigint NOT NULL REFERENCES "superoffice_hooks_event" ("id") DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE "superoffice_hooks_rejection" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "received_at" datetime NOT NULL,
    "endpoint" varchar(50) NOT NULL,
    "reason" varchar(200) NOT NULL,
    "verified" bool NOT NULL,
    "headers" text NOT NULL CHECK ((JSON_VALID("headers") OR "headers" IS NULL)),
    "body" BLOB NOT NULL,
    "remote_addr" char(39) NULL
);
CREATE TABLE "superoffice_hooks_replay" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "who" varchar(255) NOT NULL,
    "why" text NOT NULL,
    "criteria" text NOT NULL CHECK ((JSON_VALID("criteria") OR "criteria" IS NULL)),
    "receivers" text NOT NULL CHECK ((JSON_VALID("receivers") OR "receivers" IS NULL)),
    "only_failed" bool NOT NULL,
    "planned" integer unsigned NOT NULL CHECK ("planned" >= 0),
    "done" integer unsigned NOT NULL CHECK ("done" >= 0),
    "failed" integer unsigned NOT NULL CHECK ("failed" >= 0),
    "skipped" integer unsigned NOT NULL CHECK ("skipped" >= 0),
    "busy" integer unsigned NOT NULL CHECK ("busy" >= 0),
    "up_to" bigint unsigned NOT NULL CHECK ("up_to" >= 0),
    "position" bigint unsigned NOT NULL CHECK ("position" >= 0),
    "created_at" datetime NOT NULL,
    "claimed_until" datetime NULL,
    "finished_at" datetime NULL,
    "cancelled_by" varchar(255) NOT NULL
);
CREATE TABLE "superoffice_hooks_receiverrun" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "receiver" varchar(255) NOT NULL,
    "attempt" smallint unsigned NOT NULL CHECK ("attempt" >= 0),
    "outcome" varchar(10) NOT NULL,
    "started_at" datetime NOT NULL,
    "duration" bigint NOT NULL,
    "error" varchar(500) NOT NULL,
    "traceback" text NOT NULL,
    "succeeded_in" bigint unsigned NULL CHECK ("succeeded_in" >= 0),
    "event_id" bigint NOT NULL REFERENCES "superoffice_hooks_event" ("id") DEFERRABLE INITIALLY DEFERRED,
    "replay_id" bigint NULL REFERENCES "superoffice_hooks_replay" ("id") DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT "superoffice_run_succeeds_once" UNIQUE ("event_id", "receiver", "succeeded_in")
);
CREATE INDEX "superoffice_event_record" ON "superoffice_hooks_event" ("primary_key", "entity");
CREATE INDEX "superoffice_event_due" ON "superoffice_hooks_event" ("status", "next_attempt_at", "pruned_at", "received_at");
CREATE INDEX "superoffice_event_received" ON "superoffice_hooks_event" ("received_at");
CREATE INDEX "superoffice_event_name" ON "superoffice_hooks_event" ("name", "received_at", "change_set_id");
CREATE INDEX "superoffice_event_status" ON "superoffice_hooks_event" ("status", "received_at");
CREATE INDEX "superoffice_event_tenant" ON "superoffice_hooks_event" ("tenant", "received_at");
CREATE INDEX "superoffice_event_endpoint" ON "superoffice_hooks_event" ("endpoint", "received_at");
CREATE INDEX "superoffice_changedfield_name" ON "superoffice_hooks_changedfield" ("name");
CREATE UNIQUE INDEX "superoffice_hooks_changeset_fields_changeset_id_changedfield_id_aa323002_uniq" ON "superoffice_hooks_changeset_fields" ("changeset_id", "changedfield_id");
CREATE INDEX "superoffice_hooks_changeset_fields_changeset_id_2ef99f19" ON "superoffice_hooks_changeset_fields" ("changeset_id");
CREATE INDEX "superoffice_hooks_changeset_fields_changedfield_id_674e1382" ON "superoffice_hooks_changeset_fields" ("changedfield_id");
CREATE INDEX "superoffice_hooks_redelivery_event_id_b3c36c14" ON "superoffice_hooks_redelivery" ("event_id");
CREATE INDEX "superoffice_rejection_trim" ON "superoffice_hooks_rejection" ("verified", "id");
CREATE INDEX "superoffice_rejection_received" ON "superoffice_hooks_rejection" ("received_at");
CREATE INDEX "superoffice_replay_finished" ON "superoffice_hooks_replay" ("finished_at");
CREATE INDEX "superoffice_hooks_receiverrun_replay_id_b1fd7481" ON "superoffice_hooks_receiverrun" ("replay_id");
CREATE INDEX "superoffice_hooks_event_change_set_id_10e30085" ON "superoffice_hooks_event" ("change_set_id");
CREATE INDEX "superoffice_run_outcome" ON "superoffice_hooks_receiverrun" ("outcome", "started_at");
CREATE INDEX "superoffice_run_receiver" ON "superoffice_hooks_receiverrun" ("receiver", "outcome", "event_id");
