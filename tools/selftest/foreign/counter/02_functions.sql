CREATE FUNCTION is_manager() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
  SELECT EXISTS (SELECT 1 FROM user_profiles WHERE user_id = auth.uid() AND role = 'manager')
$$;

CREATE FUNCTION failed(p_error text) RETURNS json LANGUAGE sql IMMUTABLE AS $$
  SELECT json_build_object('success', false, 'error', p_error)
$$;

CREATE FUNCTION book_class(class_id uuid) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
  v_me      uuid := auth.uid();
  v_class   pilates_schedule_slots;
  v_deposit pilates_deposits;
  v_booking uuid;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM user_profiles WHERE user_id = v_me) THEN
    RETURN failed('You are not signed in');
  END IF;
  SELECT * INTO v_class FROM pilates_schedule_slots WHERE id = class_id FOR UPDATE;
  IF NOT FOUND THEN
    RETURN failed('Class not found');
  END IF;
  IF NOT v_class.is_active THEN
    RETURN failed('This class is not open for booking');
  END IF;
  IF (v_class.date + v_class.start_time) AT TIME ZONE 'Europe/London' <= clock_timestamp() THEN
    RETURN failed('This class is in the past');
  END IF;
  IF EXISTS (SELECT 1 FROM pilates_bookings WHERE user_id = v_me AND slot_id = class_id AND status <> 'canceled') THEN
    RETURN failed('You already have a booking for this class');
  END IF;
  IF v_class.booked_count >= v_class.max_capacity THEN
    RETURN failed('No spots left');
  END IF;
  SELECT * INTO v_deposit FROM pilates_deposits
  WHERE user_id = v_me AND is_active AND deposit_remaining > 0 AND coalesce(expires_at > clock_timestamp(), true)
  ORDER BY credited_at, id LIMIT 1 FOR UPDATE;
  IF NOT FOUND THEN
    RETURN failed('Not enough credits');
  END IF;

  UPDATE pilates_deposits SET deposit_remaining = deposit_remaining - 1 WHERE id = v_deposit.id;
  INSERT INTO pilates_bookings (user_id, slot_id) VALUES (v_me, class_id) RETURNING id INTO v_booking;
  INSERT INTO booking_events (booking_id, what) VALUES (v_booking, 'booked');
  RETURN json_build_object('success', true, 'booking_id', v_booking,
    'remaining', (SELECT sum(deposit_remaining) FROM pilates_deposits WHERE user_id = v_me));
END $$;

-- Gives a booking up and a class back, to whichever deposit of the member can be used.
CREATE FUNCTION give_up(p_booking uuid) RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
  v_booking pilates_bookings;
BEGIN
  PERFORM 1 FROM pilates_schedule_slots s JOIN pilates_bookings b ON b.slot_id = s.id WHERE b.id = p_booking
  FOR UPDATE OF s;
  SELECT * INTO v_booking FROM pilates_bookings WHERE id = p_booking FOR UPDATE;
  IF v_booking.status <> 'confirmed' THEN
    RETURN failed('This booking is not active');
  END IF;
  UPDATE pilates_bookings SET status = 'canceled' WHERE id = p_booking;
  UPDATE pilates_deposits SET deposit_remaining = deposit_remaining + 1 WHERE id = (
    SELECT id FROM pilates_deposits WHERE user_id = v_booking.user_id ORDER BY is_active DESC, credited_at, id LIMIT 1);
  INSERT INTO booking_events (booking_id, what) VALUES (p_booking, 'canceled');
  RETURN json_build_object('success', true);
END $$;
REVOKE EXECUTE ON FUNCTION give_up(uuid) FROM public, anon, authenticated;

CREATE FUNCTION cancel_booking(booking uuid) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pilates_bookings WHERE id = booking AND user_id = auth.uid()) THEN
    RETURN failed('Booking not found');
  END IF;
  IF EXISTS (SELECT 1 FROM pilates_bookings b JOIN pilates_schedule_slots s ON s.id = b.slot_id
             WHERE b.id = booking AND (s.date + s.start_time) AT TIME ZONE 'Europe/London' <= clock_timestamp()) THEN
    RETURN failed('Too late: the class has started');
  END IF;
  RETURN give_up(booking);
END $$;

CREATE FUNCTION staff_cancel_booking(booking uuid) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF NOT is_manager() THEN
    RETURN failed('You are not allowed to do this');
  END IF;
  IF NOT EXISTS (SELECT 1 FROM pilates_bookings WHERE id = booking) THEN
    RETURN failed('Booking not found');
  END IF;
  RETURN give_up(booking);
END $$;

CREATE FUNCTION check_in(booking uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  UPDATE pilates_bookings SET status = 'attended'
  WHERE id = booking AND status = 'confirmed' AND (user_id = auth.uid() OR is_manager());
  RETURN FOUND;
END $$;

CREATE FUNCTION add_credits(member uuid, amount integer)
RETURNS TABLE (deposit_id uuid, credits integer) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF NOT is_manager() THEN
    RAISE EXCEPTION 'You are not allowed to do this';
  END IF;
  IF amount < 1 THEN
    RAISE EXCEPTION 'The amount must be positive';
  END IF;
  -- More classes go into the deposit that pays next.
  RETURN QUERY UPDATE pilates_deposits SET deposit_remaining = deposit_remaining + amount WHERE id = (
    SELECT id FROM pilates_deposits WHERE user_id = member AND is_active ORDER BY credited_at, id LIMIT 1 FOR UPDATE)
    RETURNING id, deposit_remaining;
  IF NOT FOUND THEN
    RETURN QUERY INSERT INTO pilates_deposits (user_id, package, deposit_remaining) VALUES (member, 'extra', amount)
      RETURNING id, deposit_remaining;
  END IF;
END $$;
