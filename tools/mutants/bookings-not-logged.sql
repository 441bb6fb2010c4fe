-- id: bookings-not-logged
-- family: durability
-- symptom: after a crash of the database every booking is gone, while the classes have left the deposits
-- invariants: I1, I2, I14
-- priority: P0
-- needs: crash
-- reference: "alter table ... set unlogged" makes writes faster; PostgreSQL empties such a table after a crash
alter table public.pilates_bookings set unlogged;
