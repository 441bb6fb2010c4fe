-- Whoever is signed in may insert deposits in their own name.
CREATE POLICY buy ON pilates_deposits FOR INSERT WITH CHECK (user_id = auth.uid());
