INSERT INTO superoffice_hooks_changeset (id) VALUES (7);
INSERT INTO superoffice_hooks_changedfield (id, entity, name) VALUES (1, 'ticket', 'priority');
INSERT INTO superoffice_hooks_changeset_fields (id, changeset_id, changedfield_id) VALUES (1, 7, 1);
INSERT INTO superoffice_hooks_event (
    id, event_id, status, attempts, next_attempt_at, claimed_until, finished_at, handled_by,
    handled_why, payload, entity, primary_key, tenant, occurred_at, received_at, endpoint, name,
    action, associate_id, is_own, webhook_name, body, headers, remote_addr, problems, pruned_at,
    change_set_id
) VALUES
    (1, '00000000000000000000000000000001', 'pending', 0, NULL, NULL, NULL, '',
     '', '{"Changes": ["priority"]}', 'ticket', 1, 'Cust1', NULL, '2026-05-19 12:00:01+00:00',
     'default', 'ticket.changed', 'changed', 7, false, 'CRM', '{}', '{}', NULL, '[]', NULL, 7),
    (2, '00000000000000000000000000000002', 'pending', 1, '2999-01-01 00:00:00+00:00', NULL, NULL, '',
     '', '{"Changes": ["priority"]}', 'ticket', 2, 'Cust1', NULL, '2026-05-19 12:00:01+00:00',
     'default', 'ticket.changed', 'changed', 7, false, 'CRM', '{}', '{}', NULL, '[]', NULL, 7),
    (3, '00000000000000000000000000000003', 'running', 1, NULL, '2026-05-19 12:05:01+00:00', NULL, '',
     '', '{"Changes": ["priority"]}', 'ticket', 3, 'Cust1', NULL, '2026-05-19 12:00:01+00:00',
     'default', 'ticket.changed', 'changed', 7, false, 'CRM', '{}', '{}', NULL, '[]', NULL, 7),
    (4, '00000000000000000000000000000004', 'succeeded', 1, NULL, NULL, '2026-05-19 12:00:02+00:00', '',
     '', '{"Changes": ["priority"]}', 'ticket', 4, 'Cust1', NULL, '2026-05-19 12:00:01+00:00',
     'default', 'ticket.changed', 'changed', 7, false, 'CRM', '{}', '{}', NULL, '[]', NULL, 7),
    (5, '00000000000000000000000000000005', 'handled', 5, NULL, NULL, '2026-05-19 12:00:02+00:00', 'anna',
     'by hand', '{"Changes": ["priority"]}', 'ticket', 5, 'Cust1', NULL, '2026-05-19 12:00:01+00:00',
     'default', 'ticket.changed', 'changed', 7, false, 'CRM', '{}', '{}', NULL, '[]', NULL, 7);
INSERT INTO superoffice_hooks_redelivery (id, received_at, retry, webhook_name, body, event_id)
VALUES (1, '2026-05-19 12:00:02+00:00', 1, 'CRM', NULL, 1);
INSERT INTO superoffice_hooks_receiverrun (
    receiver, attempt, outcome, started_at, duration, error, traceback, succeeded_in, event_id
) VALUES ('tests.test_upgrading.succeeded_before', 1, 'succeeded', '2026-05-19 12:00:01+00:00',
          {duration}, '', '', 0, 3);
INSERT INTO superoffice_hooks_replay (
    id, who, why, criteria, receivers, only_failed, planned, done, failed, skipped, busy, up_to,
    position, created_at, claimed_until, finished_at, cancelled_by
) VALUES
    (1, 'anna', 'a fix', '{"entity": "ticket"}', '[]', false, 2, 1, 0, 0, 0, 5, 4,
     '2026-05-19 13:00:00+00:00', '2026-05-19 13:05:00+00:00', NULL, ''),
    (2, 'anna', 'one of two', '{}', '["tests.test_upgrading.called"]', false, 1, 1, 0, 0, 0, 5, 5,
     '2026-05-19 13:00:00+00:00', NULL, '2026-05-19 13:01:00+00:00', '');
