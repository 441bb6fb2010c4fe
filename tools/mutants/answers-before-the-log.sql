-- id: answers-before-the-log
-- family: durability
-- symptom: what was acknowledged in the last moments before a crash of the database is gone
-- invariants: I1, I14
-- priority: P0
-- needs: crash
-- reference: synchronous_commit = off answers a commit before its record has left the server's own memory
alter role authenticator set synchronous_commit = off;
