INSERT INTO record (box_id, call_id, seq, rev, hq_seq, hash, received_at, body, doc, start_time,
  tracking_phone_number, customer_phone_number, campaign_id, campaign_name, answered, ended, duration_s, talk_ms,
  recording_id, recording_hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
ON CONFLICT (box_id, call_id) DO UPDATE SET
  seq = excluded.seq, rev = excluded.rev, hq_seq = excluded.hq_seq, hash = excluded.hash,
  received_at = excluded.received_at, body = excluded.body, doc = excluded.doc, start_time = excluded.start_time,
  tracking_phone_number = excluded.tracking_phone_number, customer_phone_number = excluded.customer_phone_number,
  campaign_id = excluded.campaign_id, campaign_name = excluded.campaign_name, answered = excluded.answered,
  ended = excluded.ended, duration_s = excluded.duration_s, talk_ms = excluded.talk_ms,
  recording_id = excluded.recording_id, recording_hash = excluded.recording_hash
WHERE record.rev < excluded.rev
