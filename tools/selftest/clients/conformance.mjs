// The studio's API asked by the client that a studio's web app uses. test_clients.py starts it, with the studio's
// address, tokens and rows in CONFORMANCE, and asks the same by the Python client.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createClient } from "@supabase/supabase-js";

const { url, tokens, ids } = JSON.parse(process.env.CONFORMANCE);
// Node.js has had a WebSocket of its own only since version 22, and nothing here listens to changes.
const quiet = { auth: { persistSession: false, autoRefreshToken: false }, realtime: { transport: class {} } };

function as(who) {
  return createClient(url, tokens.anon, { ...quiet, accessToken: async () => tokens[who] });
}

const visitor = createClient(url, tokens.anon, quiet);
const [member, stranger, service] = ["member", "stranger", "service"].map(as);

function places(rows) {
  return rows.map((row) => row.max_capacity);
}

function ours() {
  return visitor.from("pilates_schedule_slots").select("id,max_capacity").in("id", ids.slots);
}

test("filters", async () => {
  for (const [query, wanted] of [
    [ours().eq("max_capacity", 2), [2]],
    [ours().neq("max_capacity", 2), [3, 4]],
    [ours().gt("max_capacity", 2).lte("max_capacity", 3), [3]],
    [ours().gte("max_capacity", 3).lt("max_capacity", 4), [3]],
    [ours().not("max_capacity", "eq", 2), [3, 4]],
    [ours().not("max_capacity", "in", "(2,3)"), [4]],
    [ours().is("is_active", true).match({ max_capacity: 4 }), [4]],
    [ours().filter("max_capacity", "in", '(2,"4")'), [2, 4]],
    [ours().or("max_capacity.eq.2,and(max_capacity.gt.3,is_active.is.true)"), [2, 4]],
  ]) {
    const { data, error, status } = await query.order("max_capacity");
    assert.deepEqual([error, status], [null, 200]);
    assert.deepEqual(places(data), wanted);
  }
  const named = service.from("user_profiles").select("user_id").eq("user_id", ids.member);
  assert.equal((await named.like("full_name", "Acc%")).data.length, 1);
  assert.equal((await named.ilike("full_name", "aCC%")).data.length, 1);
});

test("order, limit, range and count", async () => {
  const down = await ours().order("max_capacity", { ascending: false }).limit(2);
  assert.deepEqual(places(down.data), [4, 3]);
  const middle = await ours().order("max_capacity").range(1, 1);
  assert.deepEqual(places(middle.data), [3]);
  const all = () => visitor.from("pilates_schedule_slots");
  const page = await all().select("id", { count: "exact" }).in("id", ids.slots).limit(1);
  assert.deepEqual([page.status, page.count, page.data.length], [206, 3, 1]);
  const head = await all().select("*", { count: "exact", head: true }).in("id", ids.slots);
  assert.deepEqual([head.count, head.data, head.error], [3, null, null]);
  const beyond = await all().select("id", { count: "exact" }).in("id", ids.slots).range(7, 9);
  assert.deepEqual([beyond.status, beyond.error?.code], [416, "PGRST103"]);
});

test("columns", async () => {
  const { data } = await visitor.from("pilates_schedule_slots").select("places:max_capacity,id").eq("id", ids.slots[0]);
  assert.deepEqual(data, [{ places: 2, id: ids.slots[0] }]);
});

test("single and maybeSingle", async () => {
  const one = await ours().eq("max_capacity", 2).single();
  assert.equal(one.data.max_capacity, 2);
  const none = await ours().eq("max_capacity", 9).single();
  assert.deepEqual([none.status, none.error.code, none.data], [406, "PGRST116", null]);
  const several = await ours().single();
  assert.deepEqual([several.status, several.error.code], [406, "PGRST116"]);
  const maybe = await ours().eq("max_capacity", 9).maybeSingle();
  assert.deepEqual([maybe.data, maybe.error], [null, null]);
  assert.equal((await ours().eq("max_capacity", 2).maybeSingle()).data.max_capacity, 2);
});

test("insert, update, upsert and delete", async () => {
  const slots = () => service.from("pilates_schedule_slots");
  const [first, second] = ids.free;
  const row = { id: first, date: "2199-01-01", start_time: "10:00", end_time: "11:00", max_capacity: 2 };
  const made = await slots().insert(row).select().single();
  assert.deepEqual([made.status, made.error, made.data.id], [201, null, first]);
  const silent = await slots().insert([{ ...row, id: second, start_time: "11:00" }]);
  assert.deepEqual([silent.status, silent.data, silent.error], [201, null, null]);
  const twice = await slots().insert(row);
  assert.deepEqual([twice.status, twice.error.code], [409, "23505"]);
  const changed = await slots().update({ max_capacity: 7 }).eq("id", first).select("id,max_capacity");
  assert.deepEqual([changed.status, changed.data], [200, [{ id: first, max_capacity: 7 }]]);
  const unseen = await slots().update({ max_capacity: 8 }).eq("id", first);
  assert.deepEqual([unseen.status, unseen.data], [204, null]);
  const merged = await slots().upsert({ ...row, max_capacity: 9 }).select("max_capacity").single();
  assert.deepEqual([merged.error, merged.data], [null, { max_capacity: 9 }]);
  const both = await slots()
    .upsert([{ ...row, max_capacity: 3 }, { ...row, id: second, start_time: "11:00" }], { onConflict: "id" })
    .select("max_capacity");
  assert.deepEqual(both.data.map((one) => one.max_capacity).sort(), [2, 3]);
  const ignored = await slots().upsert({ ...row, max_capacity: 1 }, { ignoreDuplicates: true }).select();
  assert.deepEqual(ignored.data, []);
  const gone = await slots().delete({ count: "exact" }).in("id", ids.free).select("id");
  assert.deepEqual([gone.status, gone.count, gone.data.length], [200, 2, 2]);
  const nothing = await slots().delete().in("id", ids.free);
  assert.deepEqual([nothing.status, nothing.error], [204, null]);
});

test("functions", async () => {
  const booked = await member.rpc("book_pilates_class", { p_user_id: ids.member, p_slot_id: ids.slots[0] });
  assert.deepEqual([booked.status, booked.error], [200, null]);
  const again = await member.rpc("book_pilates_class", { p_user_id: ids.member, p_slot_id: ids.slots[0] });
  assert.deepEqual([again.status, again.error.code, again.data], [409, "PT409", null]);
  assert.ok(again.error.message.length > 5);
  const whose = await member.from("pilates_bookings").select("id,status").eq("status", "confirmed").single();
  assert.equal(whose.data.status, "confirmed");
  const cancelled = await member.rpc("cancel_pilates_booking", { p_booking_id: whose.data.id, p_user_id: ids.member });
  assert.deepEqual([cancelled.status, cancelled.error], [200, null]);
  const missing = await member.rpc("book_pilates_clas", {});
  assert.deepEqual([missing.status, missing.error.code], [404, "PGRST202"]);
});

test("errors", async () => {
  for (const [query, status, code] of [
    [visitor.from("nowhere").select(), 404, "PGRST205"],
    [visitor.from("pilates_schedule_slots").select("nope"), 400, "42703"],
    [visitor.from("pilates_schedule_slots").select().eq("id", "x"), 400, "22P02"],
    [service.from("pilates_schedule_slots").insert({ nope: 1 }), 400, "PGRST204"],
    [visitor.from("pilates_deposits").select(), 401, "42501"],
    [member.from("pilates_deposits").update({ deposit_remaining: 99 }).eq("user_id", ids.member), 403, "42501"],
  ]) {
    const answer = await query;
    assert.deepEqual([answer.status, answer.error.code, answer.data], [status, code, null]);
    assert.deepEqual(Object.keys(answer.error).filter((name) => ["details", "hint", "message"].includes(name)).length, 3);
  }
});

test("who asks", async () => {
  const deposits = (client) => client.from("pilates_deposits").select("user_id").eq("user_id", ids.member);
  assert.equal((await deposits(member)).data.length, 1);
  assert.deepEqual((await deposits(stranger)).data, []);
  assert.equal((await deposits(service)).data.length, 1);
  for (const [who, code] of [["expired", "PGRST303"], ["forged", "PGRST301"]]) {
    const { status, error } = await deposits(as(who));
    assert.deepEqual([status, error.code], [401, code]);
  }
  const acting = await stranger.rpc("book_pilates_class", { p_user_id: ids.member, p_slot_id: ids.slots[1] });
  assert.equal(acting.status, 403);
});
