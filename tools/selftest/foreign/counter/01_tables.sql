-- Another small studio: the class counts its bookings in a column that a trigger keeps, functions answer with
-- {"success": false, "error": ...} instead of raising, and have names of their own.

CREATE TABLE user_profiles (
  id         bigserial PRIMARY KEY,
  user_id    uuid NOT NULL UNIQUE,
  email      varchar(60) NOT NULL UNIQUE,
  full_name  text NOT NULL,
  birthday   date NOT NULL,
  role       text NOT NULL DEFAULT 'client' CHECK (role IN ('client', 'coach', 'manager')),
  tags       text[] NOT NULL
);

CREATE TABLE rooms (
  id    serial PRIMARY KEY,
  name  text NOT NULL,
  floor smallint NOT NULL
);

CREATE TABLE pilates_schedule_slots (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  room_id      integer NOT NULL REFERENCES rooms (id),
  date         date NOT NULL,
  start_time   time NOT NULL,
  max_capacity integer NOT NULL,
  booked_count integer NOT NULL DEFAULT 0 CHECK (booked_count >= 0),
  is_active    boolean NOT NULL DEFAULT true
);

CREATE TABLE pilates_deposits (
  id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id           uuid NOT NULL REFERENCES user_profiles (user_id),
  package           text NOT NULL,
  deposit_remaining integer NOT NULL,
  is_active         boolean NOT NULL DEFAULT true,
  credited_at       timestamptz NOT NULL DEFAULT now(),
  expires_at        timestamptz,
  CHECK (deposit_remaining >= 0)
);

CREATE TABLE pilates_bookings (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id    uuid NOT NULL REFERENCES user_profiles (user_id),
  slot_id    uuid NOT NULL REFERENCES pilates_schedule_slots (id),
  status     text NOT NULL DEFAULT 'confirmed' CHECK (status IN ('confirmed', 'canceled', 'attended')),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX one_standing_booking ON pilates_bookings (user_id, slot_id) WHERE status <> 'canceled';

CREATE TABLE booking_events (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  booking_id uuid NOT NULL REFERENCES pilates_bookings (id),
  what       text NOT NULL,
  at         timestamptz NOT NULL DEFAULT now()
);

-- The counter, kept by the bookings themselves.
CREATE FUNCTION count_bookings() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND OLD.status = 'confirmed' THEN
    UPDATE pilates_schedule_slots SET booked_count = booked_count - 1 WHERE id = OLD.slot_id;
  END IF;
  IF TG_OP <> 'DELETE' AND NEW.status = 'confirmed' THEN
    UPDATE pilates_schedule_slots SET booked_count = booked_count + 1 WHERE id = NEW.slot_id;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER count_bookings AFTER INSERT OR UPDATE OF status OR DELETE ON pilates_bookings
  FOR EACH ROW EXECUTE FUNCTION count_bookings();

ALTER TABLE user_profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE pilates_schedule_slots ENABLE ROW LEVEL SECURITY;
ALTER TABLE pilates_deposits ENABLE ROW LEVEL SECURITY;
ALTER TABLE pilates_bookings ENABLE ROW LEVEL SECURITY;
ALTER TABLE booking_events ENABLE ROW LEVEL SECURITY;
CREATE POLICY profile ON user_profiles FOR SELECT USING (user_id = auth.uid());
CREATE POLICY schedule ON pilates_schedule_slots FOR SELECT USING (true);
CREATE POLICY deposits ON pilates_deposits FOR SELECT USING (user_id = auth.uid());
CREATE POLICY bookings ON pilates_bookings FOR SELECT USING (user_id = auth.uid());
